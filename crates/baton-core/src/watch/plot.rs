//! A measure over time as a picture: what was seen above, the evidence below.
//!
//! A pure function from numbers to SVG text, for the review and the page. The
//! picture carries its own colours for light and dark and follows the reader's
//! setting; arms differ in dash as well as in colour, and the bar has its word. It
//! is drawn for a width in CSS pixels, so that its letters keep their size.

use std::fmt::Write as _;

use super::series::Sample;
use super::terms::{Design, Effect, Finding};
use super::words::{digits, percent};

/// Most lines have fewer points; more are thinned to what a screen can show.
const POINTS_MAX: usize = 480;

/// One look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The canary's share of bad ones in this interval, or its level.
    pub canary: Option<f64>,
    /// What it is compared with: the control's, in this interval.
    pub control: Option<f64>,
    /// Where the canary's share lies by all that was seen so far.
    pub band: Option<(f64, f64)>,
    /// The evidence of harm so far.
    pub e: f64,
    /// The evidence that proves harm.
    pub bar: f64,
}

impl Point {
    /// The point of one journalled look.
    pub fn of(sample: Option<&Sample>, finding: &Finding) -> Self {
        let level = sample.and_then(Sample::levels);
        let share = |bad: u64, total: u64| bad as f64 / total as f64;
        let control_rate = finding
            .control
            .filter(|control| control.seen())
            .map(|control| share(control.bad, control.total));
        let of_control = |(low, high): (f64, f64)| {
            control_rate.map(|rate| ((low * rate).min(1.0), (high * rate).min(1.0)))
        };
        let band = match finding.effect {
            Some(Effect::Share { low, high }) if finding.design != Design::Control => {
                Some((low, high))
            }
            Some(Effect::Quantile { .. } | Effect::Above { .. }) => None,
            _ => finding.interval.and_then(of_control),
        };
        Self {
            canary: match level {
                Some((canary, _)) => Some(canary.mean),
                None => sample.and_then(|sample| sample.canary.rate()),
            },
            control: match level {
                Some((_, control)) => control.map(|control| control.mean),
                None => sample.and_then(|sample| sample.control?.rate()),
            },
            band,
            e: finding.e,
            bar: finding.bar,
        }
    }
}

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot<'a> {
    /// The measure, in a few words.
    pub title: &'a str,
    /// Every look, in order.
    pub points: &'a [Point],
    /// The agreed limit, if there is one.
    pub limit: Option<f64>,
    /// Whether values are shares, to be written as percent.
    pub shares: bool,
    /// The length of an interval in seconds.
    pub interval_s: u32,
}

/// The colours of one theme. They are written out, not as CSS variables: many
/// programs that show SVG know none.
struct Theme {
    paper: &'static str,
    ink: &'static str,
    quiet: &'static str,
    rule: &'static str,
    canary: &'static str,
    band: &'static str,
    control: &'static str,
    bar: &'static str,
}

const LIGHT: Theme = Theme {
    paper: "#fff",
    ink: "#1f2328",
    quiet: "#59636e",
    rule: "#d1d9e0",
    canary: "#0b5fbf",
    band: "#dbe7f5",
    control: "#6e7781",
    bar: "#b3261e",
};

const DARK: Theme = Theme {
    paper: "#0d1117",
    ink: "#e6edf3",
    quiet: "#9198a1",
    rule: "#3d444d",
    canary: "#6cb6ff",
    band: "#1d2f41",
    control: "#9aa4af",
    bar: "#ff8f86",
};

const SHAPES: &str = "\
.baton text{font:12px system-ui,sans-serif;font-variant-numeric:tabular-nums}\
.baton .t{font-weight:600;font-size:13px}.baton path,.baton line{fill:none;stroke-width:1.5;stroke-linejoin:round}\
.baton .o{stroke-dasharray:4 3}.baton .r{stroke-width:1}.baton .x{stroke-dasharray:7 3}\
.baton .h{font-weight:600;paint-order:stroke;stroke-width:4px;stroke-linejoin:round}";

impl Theme {
    fn rules(&self) -> String {
        let Self {
            paper,
            ink,
            quiet,
            rule,
            canary,
            band,
            control,
            bar,
        } = self;
        format!(
            ".baton{{background:{paper}}}.baton text{{fill:{quiet}}}.baton .t{{fill:{ink}}}\
             .baton .c{{stroke:{canary}}}.baton .o{{stroke:{control}}}.baton .b{{fill:{band}}}\
             .baton .r{{stroke:{rule}}}.baton .x{{stroke:{bar}}}\
             .baton .kx{{fill:{bar}}}.baton .kc{{fill:{canary}}}.baton .dot{{fill:{bar}}}\
             .baton .h{{fill:{bar};stroke:{paper}}}"
        )
    }
}

fn style() -> String {
    format!(
        "{SHAPES}{}@media(prefers-color-scheme:dark){{{}}}",
        LIGHT.rules(),
        DARK.rules()
    )
}

const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
/// Where the first row of the legend stands, and how far apart its rows are.
const LEGEND: f64 = 37.0;
const ROW: f64 = 16.0;
/// From the last row of the legend to the upper panel.
const HEAD: f64 = 11.0;
const UPPER: f64 = 130.0;
const GAP: f64 = 46.0;
const LOWER: f64 = 84.0;
const FOOT: f64 = 26.0;

/// One entry of the legend: the class of its text, how it is drawn, what it says.
type Key = (&'static str, Drawn, &'static str);

#[derive(Clone, Copy)]
enum Drawn {
    /// A line of this class.
    Line(&'static str),
    /// The band.
    Band,
}

/// What there is to explain.
fn keys(plot: &Plot<'_>) -> Vec<Key> {
    let any = |there: fn(&Point) -> bool| plot.points.iter().any(there);
    let mut keys = vec![("kc", Drawn::Line("c"), "with the change")];
    if any(|p| p.band.is_some()) {
        keys.push(("", Drawn::Band, "likely mean"));
    }
    if any(|p| p.control.is_some()) {
        keys.push(("", Drawn::Line("o"), "without"));
    }
    if plot.limit.is_some() {
        keys.push(("kx", Drawn::Line("x"), "limit"));
    }
    keys
}

/// Writes the legend in as many rows as it needs, and says where the last stands.
fn legend(out: &mut String, keys: &[Key], width: f64) -> f64 {
    let (mut x, mut y) = (12.0, LEGEND);
    for (text, drawn, says) in keys {
        let wide = 34.0 + 6.6 * says.len() as f64;
        if x > 12.0 && x + wide > width {
            (x, y) = (12.0, y + ROW);
        }
        let _infallible = match drawn {
            Drawn::Line(class) => write!(
                out,
                "<line class=\"{class}\" x1=\"{x:.0}\" x2=\"{:.0}\" y1=\"{:.0}\" y2=\"{:.0}\"/>",
                x + 18.0,
                y - 4.0,
                y - 4.0
            ),
            Drawn::Band => write!(
                out,
                "<rect class=\"b\" x=\"{x:.0}\" y=\"{:.0}\" width=\"18\" height=\"11\"/>",
                y - 9.5
            ),
        };
        label(out, text, x + 23.0, y, "start", says);
        x += wide;
    }
    y
}

/// Where things stand.
#[derive(Clone, Copy)]
struct Frame {
    width: f64,
    /// The upper edge of the upper panel.
    top: f64,
}

impl Frame {
    /// The upper edge of the lower panel.
    fn base(self) -> f64 {
        self.top + UPPER + GAP
    }
}

/// The picture, `width` CSS pixels wide (at least 280) and 334 high, or more where
/// the legend needs more rows.
pub fn svg(plot: &Plot<'_>, width: f64) -> String {
    let width = width.clamp(280.0, 4000.0);
    let step = plot.points.len().div_ceil(POINTS_MAX).max(1);
    let points: Vec<Point> = plot.points.iter().step_by(step).copied().collect();
    let mut head = String::new();
    label(&mut head, "t", 12.0, 20.0, "start", plot.title);
    let top = legend(&mut head, &keys(plot), width) + HEAD;
    let frame = Frame { width, top };
    let height = frame.base() + LOWER + FOOT;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"baton\" role=\"img\" width=\"{width:.0}\" \
         height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\"><title>{}</title><style>{}</style>",
        escaped(&described(plot)),
        style()
    );
    out.push_str(&head);
    let across = |i: usize| {
        let last = (points.len().max(2) - 1) as f64;
        LEFT + (width - LEFT - RIGHT) * i as f64 / last
    };
    upper(&mut out, plot, &points, frame, &across);
    lower(&mut out, &points, frame, &across);
    let whole = u64::from(plot.interval_s) * plot.points.len() as u64;
    let foot = height - 8.0;
    label(&mut out, "", LEFT, foot, "start", "start");
    label(
        &mut out,
        "",
        width - RIGHT,
        foot,
        "end",
        &super::words::span(whole),
    );
    out.push_str("</svg>");
    out
}

/// What was seen in each interval, what it is compared with, and the band.
fn upper(
    out: &mut String,
    plot: &Plot<'_>,
    points: &[Point],
    Frame { width, top: edge }: Frame,
    x: &impl Fn(usize) -> f64,
) {
    let seen = points
        .iter()
        .flat_map(|p| [p.canary, p.control])
        .flatten()
        .chain(plot.limit);
    let (least, most) = seen.fold((0.0_f64, 0.0_f64), |(a, b), v| (a.min(v), b.max(v)));
    let flat = most <= least;
    let top = if flat { least + 1.0 } else { nice(most) };
    let y = |v: f64| edge + UPPER - UPPER * ((v - least) / (top - least)).clamp(0.0, 1.0);
    let written = |v: f64| if plot.shares { percent(v) } else { number(v) };
    for v in [least, f64::midpoint(least, top), top] {
        rule(out, "r", y(v), width);
        label(out, "", LEFT - 6.0, y(v) + 4.0, "end", &written(v));
    }
    let band: Vec<(usize, (f64, f64))> = points
        .iter()
        .enumerate()
        .filter_map(|(i, p)| Some((i, p.band?)))
        .collect();
    if band.len() > 1 {
        let there = band.iter().map(|(i, (_, high))| (x(*i), y(*high)));
        let back = band.iter().rev().map(|(i, (low, _))| (x(*i), y(*low)));
        let path: Vec<String> = there
            .chain(back)
            .map(|(x, y)| format!("{x:.1} {y:.1}"))
            .collect();
        let _infallible = write!(out, "<path class=\"b\" d=\"M{}Z\"/>", path.join("L"));
    }
    let line = |of: fn(&Point) -> Option<f64>| {
        path(
            points
                .iter()
                .enumerate()
                .map(|(i, p)| Some((x(i), y(of(p)?)))),
        )
    };
    let _infallible = write!(
        out,
        "<path class=\"o\" d=\"{}\"/><path class=\"c\" d=\"{}\"/>",
        line(|p| p.control),
        line(|p| p.canary)
    );
    if let Some(limit) = plot.limit {
        rule(out, "x", y(limit), width);
    }
}

/// The evidence against its bar, in powers of ten.
fn lower(out: &mut String, points: &[Point], frame: Frame, x: &impl Fn(usize) -> f64) {
    let (width, base) = (frame.width, frame.base());
    let log = |v: f64| super::math::ln(v.max(1e-300)) / std::f64::consts::LN_10;
    let bars = points.iter().map(|p| log(p.bar)).fold(1.0, f64::max);
    let most = points.iter().map(|p| log(p.e)).fold(bars, f64::max);
    // Enough beyond the bar to see that it was crossed, and no more.
    let top = most.min(bars * 1.6).max(bars * 1.15);
    let low = -1.0;
    let y = |v: f64| base + LOWER - LOWER * ((log(v) - low) / (top - low)).clamp(0.0, 1.0);
    rule(out, "r", base + LOWER, width);
    rule(out, "r", y(1.0), width);
    label(out, "", LEFT - 6.0, y(1.0) + 4.0, "end", "1");
    label(out, "t", 12.0, base - 14.0, "start", "Evidence of harm");
    if let Some(last) = points.last() {
        let bar = path(
            points
                .iter()
                .enumerate()
                .map(|(i, p)| Some((x(i), y(p.bar)))),
        );
        let _infallible = write!(out, "<path class=\"x\" d=\"{bar}\"/>");
        label(
            out,
            "kx",
            LEFT - 6.0,
            y(last.bar) + 4.0,
            "end",
            &number(last.bar.round()),
        );
    }
    let evidence = path(points.iter().enumerate().map(|(i, p)| Some((x(i), y(p.e)))));
    let _infallible = write!(out, "<path class=\"c\" d=\"{evidence}\"/>");
    if let Some(i) = points.iter().position(|p| p.e >= p.bar) {
        let (cx, cy) = (x(i), y(points[i].e));
        let _infallible = write!(
            out,
            "<circle class=\"dot\" cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"4\"/>"
        );
        // Before it, above the bar, was nothing. Where there is no room, below the
        // bar behind it: evidence that just reached it seldom falls at once.
        let bar = y(points[i].bar);
        let (anchor, x, y) = if cx - LEFT > 90.0 {
            ("end", cx - 8.0, bar - 5.0)
        } else {
            ("start", cx + 9.0, bar + 16.0)
        };
        label(out, "h", x, y, anchor, "proven harm");
    }
}

/// A line through what is there, with gaps where nothing is.
fn path(points: impl Iterator<Item = Option<(f64, f64)>>) -> String {
    let (mut out, mut pen) = (String::new(), 'M');
    for point in points {
        match point {
            Some((x, y)) => {
                let _infallible = write!(out, "{pen}{x:.1} {y:.1}");
                pen = 'L';
            }
            None => pen = 'M',
        }
    }
    out
}

fn rule(out: &mut String, class: &str, y: f64, width: f64) {
    let _infallible = write!(
        out,
        "<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
        width - RIGHT
    );
}

fn label(out: &mut String, class: &str, x: f64, y: f64, anchor: &str, text: &str) {
    let text = escaped(text);
    let _infallible = write!(
        out,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
    );
}

/// The next round number above: 1, 2 or 5 times a power of ten.
fn nice(most: f64) -> f64 {
    let mut unit = 1e-9;
    while unit * 10.0 <= most {
        unit *= 10.0;
    }
    let steps = [1.0, 2.0, 5.0].map(|n| n * unit);
    steps
        .into_iter()
        .find(|step| *step >= most)
        .unwrap_or(10.0 * unit)
}

fn number(v: f64) -> String {
    let sign = if v < 0.0 { "-" } else { "" };
    format!("{sign}{}", digits(v.abs()))
}

/// What a reader hears who cannot see the picture.
fn described(plot: &Plot<'_>) -> String {
    let Some(last) = plot.points.last() else {
        return format!("{}: nothing was seen", plot.title);
    };
    let harm = plot.points.iter().any(|p| p.e >= p.bar);
    let says = if harm {
        "harm is proven"
    } else {
        "no harm is proven"
    };
    /// Beyond this nobody reads the digits.
    const READ: f64 = 1e6;
    let over = if last.e > READ { "over " } else { "" };
    format!(
        "{}: {says}, evidence {over}{} of {}",
        plot.title,
        number(last.e.min(READ)),
        number(last.bar.round())
    )
}

fn escaped(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    clean
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(n: usize) -> Vec<Point> {
        let point = |i: usize| Point {
            canary: (i != 3).then_some(0.01 + i as f64 / 1000.0),
            control: Some(0.01),
            band: Some((0.005, 0.03)),
            e: 1.3_f64.powi(i as i32),
            bar: 100.0,
        };
        (0..n).map(point).collect()
    }

    fn drawn(points: &[Point], width: f64) -> String {
        let plot = Plot {
            title: "errors <b>",
            points,
            limit: Some(0.02),
            shares: true,
            interval_s: 60,
        };
        svg(&plot, width)
    }

    #[test]
    fn the_picture_has_its_lines_words_and_no_markup_of_others() {
        let picture = drawn(&points(30), 640.0);
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>"));
        for part in [
            "errors &lt;b&gt;",
            "harm is proven",
            "proven harm",
            "limit",
            "30 min",
            "class=\"b\"",
        ] {
            assert!(picture.contains(part), "{part}");
        }
        assert!(!picture.contains("<b>") && !picture.contains("NaN") && !picture.contains("inf"));
        // A gap in the data is a gap in the line.
        let canary = picture.split("class=\"c\" d=\"").nth(1).unwrap();
        assert_eq!(canary.split('"').next().unwrap().matches('M').count(), 2);
    }

    #[test]
    fn every_mark_has_its_key_and_the_legend_its_rows() {
        let wide = drawn(&points(30), 640.0);
        for key in ["with the change", "likely mean", "without", "limit"] {
            assert_eq!(wide.matches(&format!(">{key}<")).count(), 1, "{key}");
        }
        assert!(wide.contains("height=\"334\""));
        assert!(drawn(&points(30), 300.0).contains("height=\"350\""));
        let mut bare = points(30);
        for point in &mut bare {
            (point.band, point.control) = (None, None);
        }
        let bare = drawn(&bare, 640.0);
        assert!(!bare.contains("likely") && !bare.contains(">without<"));
    }

    #[test]
    fn nothing_and_odd_numbers_are_drawn_without_nonsense() {
        assert!(drawn(&[], 640.0).contains("nothing was seen"));
        let odd = Point {
            canary: None,
            control: None,
            band: None,
            e: 0.0,
            bar: 1e300,
        };
        for picture in [drawn(&[odd], 0.0), drawn(&vec![odd; 5000], 1e9)] {
            assert!(!picture.contains("NaN") && picture.len() < 60_000);
        }
    }

    #[test]
    fn scales_end_on_round_numbers() {
        for (most, top) in [(0.013, 0.02), (0.02, 0.02), (4.1, 5.0), (70.0, 100.0)] {
            assert!((nice(most) - top).abs() < 1e-12, "{most}: {}", nice(most));
        }
    }
}
