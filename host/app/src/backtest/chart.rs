//! Bar charts, drawn on the server: only the geometry is here, the page has
//! the colours.

use serde::Serialize;

/// The drawing's size, in units of the page's text.
const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 190.0;

/// Room for the numbers on the left and the names below.
const LEFT: f64 = 44.0;
const RIGHT: f64 = 16.0;
const BELOW: f64 = 24.0;
const ABOVE: f64 = 10.0;

/// How wide a bar may become, and how much of its place a group leaves free.
const WIDEST_BAR: f64 = 26.0;
const GAP: f64 = 0.28;

/// So many names fit below the bars.
const MOST_NAMES: usize = 16;

/// A chart of groups of bars.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Chart {
    width: f64,
    height: f64,
    /// Where the lines begin and end.
    left: f64,
    /// Where the bars stand.
    floor: f64,
    bars: Vec<Bar>,
    ticks: Vec<Tick>,
    names: Vec<Name>,
}

/// One bar.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Bar {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    /// `draft` or `other`.
    of: &'static str,
    /// What a reader sees who points at it.
    title: String,
}

/// A line across, with its number.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Tick {
    y: f64,
    label: String,
}

/// What stands below a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Name {
    x: f64,
    text: String,
}

/// One series of a chart.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    /// `draft` or `other`.
    pub(crate) of: &'static str,
    /// For a reader: `draft`, `the active version`.
    pub(crate) title: String,
    /// A value for each name.
    pub(crate) values: Vec<u64>,
}

impl Chart {
    /// A chart with a group of bars for each name; none where there is
    /// nothing to show.
    pub(crate) fn new(names: &[String], series: &[Series]) -> Option<Self> {
        let most = series.iter().flat_map(|series| &series.values).copied().max().unwrap_or(0);
        if most == 0 || names.is_empty() {
            return None;
        }
        let (step, top) = scale(most);
        let floor = HEIGHT - BELOW;
        let room = floor - ABOVE;
        let height_of = |value: u64| value as f64 / top as f64 * room;
        let place = (WIDTH - LEFT - RIGHT) / names.len() as f64;
        let count = series.len().max(1) as f64;
        let bar = (place * (1.0 - GAP) / count).min(WIDEST_BAR);
        let mut bars = Vec::new();
        for (number, name) in names.iter().enumerate() {
            let middle = LEFT + place * (number as f64 + 0.5);
            let from = middle - bar * count / 2.0;
            for (nth, series) in series.iter().enumerate() {
                let value = series.values.get(number).copied().unwrap_or(0);
                if value == 0 {
                    continue;
                }
                // A single one among thousands is still seen.
                let height = height_of(value).max(1.0);
                bars.push(Bar {
                    x: tenth(from + bar * nth as f64),
                    y: tenth(floor - height),
                    width: tenth((bar - 1.0).max(1.0)),
                    height: tenth(height),
                    of: series.of,
                    title: format!("{name}, {}: {value}", series.title),
                });
            }
        }
        let ticks = (0..=top / step)
            .map(|number| number * step)
            .map(|value| Tick { y: tenth(floor - height_of(value)), label: value.to_string() });
        let every = names.len().div_ceil(MOST_NAMES);
        let shown = names.iter().enumerate().step_by(every).map(|(number, name)| Name {
            x: tenth(LEFT + place * (number as f64 + 0.5)),
            text: name.clone(),
        });
        Some(Self {
            width: WIDTH,
            height: HEIGHT,
            left: LEFT,
            floor,
            bars,
            ticks: ticks.collect(),
            names: shown.collect(),
        })
    }
}

/// The distance of lines that reads well, and the line above the highest bar.
fn scale(most: u64) -> (u64, u64) {
    let mut size = 1;
    loop {
        for step in [size, 2 * size, 5 * size] {
            if most.div_ceil(step) <= 5 {
                return (step, most.div_ceil(step) * step);
            }
        }
        size *= 10;
    }
}

/// Positions to a tenth: no reader sees more.
fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_at_round_numbers() {
        for (most, lines) in [
            (1, (1, 1)),
            (5, (1, 5)),
            (6, (2, 6)),
            (23, (5, 25)),
            (49, (10, 50)),
            (51, (20, 60)),
            (1_234, (500, 1_500)),
        ] {
            assert_eq!(scale(most), lines, "{most}");
        }
    }

    #[test]
    fn bars_stay_within_their_chart() {
        let names: Vec<String> = (1..=31).map(|day| format!("{day} Dec")).collect();
        let series = |of, values: Vec<u64>| Series { of, title: of.to_owned(), values };
        let chart = Chart::new(
            &names,
            &[series("draft", (0..31).collect()), series("other", vec![30; 31])],
        )
        .expect("a chart");
        // Where the draft has none, it has no bar.
        assert_eq!(chart.bars.len(), 61);
        for bar in &chart.bars {
            assert!(bar.x >= LEFT && bar.x + bar.width <= WIDTH, "{bar:?}");
            assert!(bar.y >= 0.0 && (bar.y + bar.height - chart.floor).abs() < 0.2, "{bar:?}");
        }
        assert!(chart.names.len() <= MOST_NAMES);
        assert_eq!(Chart::new(&names, &[series("draft", vec![0; 31])]), None);
    }
}
