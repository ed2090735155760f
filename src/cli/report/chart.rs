//! Charts of a report, as SVG that a screen reader can name.

use maud::{Markup, html};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 120.0;
/// A few bars do not fill the width.
const WIDEST: f64 = 40.0;

/// One of the parts that a bar is made of: the class that colours it, its name, and its size.
pub(super) type Part = (&'static str, &'static str, u64);

/// A bar: what it is of, and its parts from the bottom upwards.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) parts: Vec<Part>,
}

/// Stacked bars, side by side. `says` is what somebody hears who does not see them.
pub(super) fn bars(bars: &[Bar], says: &str) -> Markup {
    let highest = bars.iter().map(total).max().unwrap_or_default().max(1);
    let step = (WIDTH / number(bars.len().max(1) as u64)).min(WIDEST);
    let scale = HEIGHT / number(highest);
    html! {
        svg role="img" aria-label=(says) viewBox=(format!("0 0 {WIDTH} {HEIGHT}"))
            preserveAspectRatio="none" {
            @for (at, bar) in bars.iter().enumerate() {
                g {
                    title { (described(bar)) }
                    @for (class, bottom, size) in stacked(bar) {
                        rect class=(class) x=(rounded(number(at as u64) * step))
                            y=(rounded(HEIGHT - number(bottom + size) * scale))
                            width=(rounded((step - 1.0).max(step * 0.7)))
                            height=(rounded(number(size) * scale)) {}
                    }
                }
            }
        }
    }
}

/// A line of values, side by side, that begins at 0.
pub(super) fn line(values: &[f64], says: &str) -> Markup {
    let highest = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let step = WIDTH / number(values.len().saturating_sub(1).max(1) as u64);
    let point = |(at, value): (usize, &f64)| {
        let (x, y) = (number(at as u64) * step, HEIGHT - value / highest * (HEIGHT - 4.0) - 2.0);
        format!("{},{}", rounded(x), rounded(y))
    };
    let points: Vec<String> = values.iter().enumerate().map(point).collect();
    html! {
        svg role="img" aria-label=(says) viewBox=(format!("0 0 {WIDTH} {HEIGHT}"))
            preserveAspectRatio="none" {
            polyline class="line" points=(points.join(" ")) {}
        }
    }
}

fn total(bar: &Bar) -> u64 {
    bar.parts.iter().map(|(_, _, size)| size).sum()
}

/// The parts with what is below each.
fn stacked(bar: &Bar) -> Vec<(&'static str, u64, u64)> {
    let mut bottom = 0;
    let place = |(class, _, size): &Part| {
        let part = (*class, bottom, *size);
        bottom += size;
        part
    };
    bar.parts.iter().map(place).collect()
}

fn described(bar: &Bar) -> String {
    let parts = bar.parts.iter().filter(|(_, _, size)| *size > 0);
    let parts: Vec<String> = parts.map(|(_, name, size)| format!("{size} {name}")).collect();
    format!("{}: {}", bar.name, if parts.is_empty() { "none".to_owned() } else { parts.join(", ") })
}

#[expect(clippy::cast_precision_loss, reason = "points of a picture")]
fn number(count: u64) -> f64 {
    count as f64
}

fn rounded(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_on_each_other_and_are_named() {
        let bar = Bar { name: "version 3".into(), parts: vec![("a", "new", 2), ("b", "gone", 6)] };
        assert_eq!(stacked(&bar), [("a", 0, 2), ("b", 2, 6)]);
        assert_eq!(described(&bar), "version 3: 2 new, 6 gone");
        let svg = bars(&[bar], "rows <by> commit").into_string();
        assert!(svg.contains("aria-label=\"rows &lt;by&gt; commit\""), "{svg}");
        // Two of eight are a quarter of the height, at the bottom.
        assert!(svg.contains("y=\"90.0\"") && svg.contains("height=\"30.0\""), "{svg}");
    }
}
