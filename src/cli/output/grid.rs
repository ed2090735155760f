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
    is_markdown: bool,
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
        Self { columns: columns.collect(), is_markdown: false }
    }

    /// Creates the first `always` of these columns, and as many of the others as the width has room
    /// for with these rows, which then have their cells alone.
    pub(in crate::cli) fn fitting(
        headings: &[(&str, Align)],
        always: usize,
        rows: &mut [Row],
        width: usize,
    ) -> Self {
        let mut grid = Self::new(headings);
        grid.fit(rows);
        while grid.columns.len() > always && grid.width() > width {
            grid.columns.pop();
        }
        for row in rows {
            row.truncate(grid.columns.len());
        }
        grid
    }

    /// The same in that style: aligned for people, or as a table of Markdown.
    pub(in crate::cli) fn styled(self, palette: Palette) -> Self {
        Self { is_markdown: palette.is_markdown, ..self }
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
        if self.is_markdown {
            let rule = self.columns.iter().map(|column| match column.align {
                Align::Left => "---".to_owned(),
                Align::Right => "--:".to_owned(),
            });
            return format!("{}\n{}", self.row(&headings), self.row(&rule.collect::<Row>()));
        }
        palette.faint(self.row(&headings))
    }

    /// Returns one line, without trailing space.
    pub(in crate::cli) fn row(&self, cells: &[String]) -> String {
        if self.is_markdown {
            let cells: Row = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            return format!("| {} |", cells.join(" | "));
        }
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
    fn columns_for_which_there_is_no_room_are_left_out_from_the_end() {
        let headings = [("a", Align::Left), ("b", Align::Left), ("c", Align::Left)];
        let fitted = |width, always| {
            let mut rows = [vec!["1".to_owned(), "22".to_owned(), "333".to_owned()]];
            let grid = Grid::fitting(&headings, always, &mut rows, width);
            (grid.width(), rows[0].len())
        };
        assert_eq!(fitted(10, 1), (10, 3));
        assert_eq!(fitted(9, 1), (5, 2));
        assert_eq!(fitted(1, 2), (5, 2), "two are always there");
    }

    #[test]
    fn numbers_are_aligned_right_and_text_left() {
        let mut grid = Grid::new(&[("table", Align::Left), ("rows", Align::Right)]);
        let rows = [vec!["shop.orders".into(), "7".into()], vec!["a".into(), "12,345".into()]];
        grid.fit(&rows);
        assert_eq!(grid.header(Palette::none()), "table          rows");
        assert_eq!(grid.row(&rows[0]), "shop.orders       7");
        assert_eq!(grid.row(&rows[1]), "a            12,345");

        let markdown = Palette { is_markdown: true, ..Palette::none() };
        let grid = grid.styled(markdown);
        assert_eq!(grid.header(markdown), "| table | rows |\n| --- | --: |");
        assert_eq!(grid.row(&["a|b".into(), "7".into()]), "| a\\|b | 7 |");
    }
}
