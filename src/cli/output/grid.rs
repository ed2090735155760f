//! Aligned columns of text.

use std::fmt::Write;

use super::Palette;

/// The alignment of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Align {
    /// For text.
    Left,
    /// For numbers.
    Right,
}

/// Columns with headings. The rows may be known all at once, or come one by one.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Grid {
    columns: Vec<Column>,
}

/// The cells of one line.
pub(in crate::cli) type Row = Vec<String>;

#[derive(Clone, Debug)]
struct Column {
    heading: String,
    align: Align,
    width: usize,
}

impl Grid {
    /// Creates columns with these headings, each as wide as its heading.
    pub(in crate::cli) fn new(headings: &[(&str, Align)]) -> Self {
        let columns = headings.iter().map(|&(heading, align)| Column {
            heading: heading.to_owned(),
            align,
            width: heading.chars().count(),
        });
        Self { columns: columns.collect() }
    }

    /// Makes a column at least this wide, for rows that come later.
    pub(in crate::cli) fn widen(&mut self, column: usize, width: usize) {
        let column = &mut self.columns[column];
        column.width = column.width.max(width);
    }

    /// Makes every column wide enough for these rows.
    pub(in crate::cli) fn fit(&mut self, rows: &[Row]) {
        for row in rows {
            for (column, cell) in row.iter().enumerate() {
                self.widen(column, cell.chars().count());
            }
        }
    }

    /// The letters of its widest line.
    pub(in crate::cli) fn width(&self) -> usize {
        let columns = self.columns.iter().map(|column| column.width + 2);
        columns.sum::<usize>().saturating_sub(2)
    }

    /// Returns the line of headings.
    pub(in crate::cli) fn header(&self, palette: Palette) -> String {
        let headings: Row = self.columns.iter().map(|column| column.heading.clone()).collect();
        palette.faint(self.row(&headings))
    }

    /// Returns one line, without trailing space.
    pub(in crate::cli) fn row(&self, cells: &[String]) -> String {
        let mut line = String::new();
        for (column, cell) in self.columns.iter().zip(cells) {
            let width = column.width;
            let written = match column.align {
                Align::Left => write!(line, "{cell:<width$}  "),
                Align::Right => write!(line, "{cell:>width$}  "),
            };
            written.expect("writing to a String cannot fail");
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_aligned_right_and_text_left() {
        let mut grid = Grid::new(&[("table", Align::Left), ("rows", Align::Right)]);
        let rows = [vec!["shop.orders".into(), "7".into()], vec!["a".into(), "12,345".into()]];
        grid.fit(&rows);
        assert_eq!(grid.header(Palette(false)), "table          rows");
        assert_eq!(grid.row(&rows[0]), "shop.orders       7");
        assert_eq!(grid.row(&rows[1]), "a            12,345");
    }
}
