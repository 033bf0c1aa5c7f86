//! Rows of cells as an SVG: a window with a title, in the reader's scheme.
//!
//! Each run of one style is a `<text>` of its own with its length written down,
//! so that columns stay aligned whatever font the reader has.

use super::screen::{Cell, Colour, Style};

const CELL_WIDTH: f64 = 8.4;
const LINE_HEIGHT: f64 = 19.0;
const MARGIN: f64 = 18.0;
const TITLE_HEIGHT: f64 = 36.0;
/// From the top of a line to the foot of its letters.
const ASCENT: f64 = 14.0;

/// Ground, frame, text, quiet text, then the sixteen colours.
const LIGHT: [&str; 20] = [
    "#fbfbfa", "#d9d8d4", "#26282c", "#8b8d92", "#26282c", "#b3261e", "#2e7d32", "#8a6100",
    "#2456b8", "#8e3a9d", "#0b7285", "#8b8d92", "#5c5f66", "#b3261e", "#2e7d32", "#8a6100",
    "#2456b8", "#8e3a9d", "#0b7285", "#26282c",
];
const DARK: [&str; 20] = [
    "#16181d", "#2e3138", "#d9dbe0", "#7c808a", "#3b3f48", "#f2857d", "#84c98b", "#e0b458",
    "#86aef5", "#d08fdd", "#63c5d6", "#c8cad0", "#7c808a", "#f2857d", "#84c98b", "#e0b458",
    "#86aef5", "#d08fdd", "#63c5d6", "#ffffff",
];

/// The picture, `columns` wide however short the lines are.
pub(super) fn draw(rows: &[Vec<Cell>], columns: usize, title: &str) -> String {
    let width = across(columns) + 2.0 * MARGIN;
    let height = TITLE_HEIGHT + down(rows.len()) + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.1} {height:.1}\" \
         width=\"{width:.1}\" height=\"{height:.1}\" role=\"img\">\n<title>{title}</title>\n\
         <style>\n{style}</style>\n\
         <rect class=\"window\" x=\"0.5\" y=\"0.5\" width=\"{inner_width:.1}\" \
         height=\"{inner_height:.1}\" rx=\"9\"/>\n",
        title = escaped(title),
        style = sheet(),
        inner_width = width - 1.0,
        inner_height = height - 1.0,
    );
    for at in 0..3 {
        let x = MARGIN + 6.0 + 18.0 * f64::from(at);
        svg.push_str(&format!(
            "<circle class=\"frame\" cx=\"{x}\" cy=\"18\" r=\"5.5\"/>\n"
        ));
    }
    svg.push_str(&format!(
        "<text class=\"title\" x=\"{:.1}\" y=\"23\" text-anchor=\"middle\">{}</text>\n",
        width / 2.0,
        escaped(title)
    ));
    for (at, row) in rows.iter().enumerate() {
        line(&mut svg, row, TITLE_HEIGHT + down(at));
    }
    svg.push_str("</svg>\n");
    svg
}

fn line(svg: &mut String, row: &[Cell], top: f64) {
    let mut column = 0;
    for run in row.chunk_by(|a, b| a.style == b.style) {
        let style = run[0].style;
        let (text, ground) = if style.reverse {
            (style.ground, style.text)
        } else {
            (style.text, style.ground)
        };
        let filled = style.reverse || ground != Colour::Usual;
        let (x, width) = (MARGIN + across(column), across(run.len()));
        if filled {
            let fill = ground_fill(ground);
            svg.push_str(&format!(
                "<rect {fill} x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{LINE_HEIGHT}\"/>\n"
            ));
        }
        let words: String = run.iter().map(|cell| cell.c).collect();
        if !words.trim().is_empty() {
            let dress = dress(style, text, filled);
            svg.push_str(&format!(
                "<text{dress} x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" \
                 xml:space=\"preserve\">{}</text>\n",
                top + ASCENT,
                escaped(&words)
            ));
        }
        column += run.len();
    }
}

/// The attributes of a run. Upon a filled ground, plain or white letters take
/// the colour of the window, which stands out from all of them in both schemes.
fn dress(style: Style, text: Colour, filled: bool) -> String {
    let mut classes = Vec::new();
    let mut fill = String::new();
    match text {
        Colour::Usual | Colour::Named(7 | 15) if filled => classes.push("g".to_owned()),
        Colour::Usual => {}
        Colour::Named(n) => classes.push(format!("f{n}")),
        Colour::Rgb(r, g, b) => fill = format!(" fill=\"#{r:02x}{g:02x}{b:02x}\""),
    }
    let marks = [
        (style.bold, "b"),
        (style.dim, "d"),
        (style.italic, "i"),
        (style.underline, "u"),
    ];
    classes.extend(
        marks
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, class)| (*class).to_owned()),
    );
    if classes.is_empty() {
        return fill;
    }
    format!(" class=\"{}\"{fill}", classes.join(" "))
}

fn ground_fill(colour: Colour) -> String {
    match colour {
        Colour::Usual => "class=\"t\"".to_owned(),
        Colour::Named(n) => format!("class=\"f{n}\""),
        Colour::Rgb(r, g, b) => format!("fill=\"#{r:02x}{g:02x}{b:02x}\""),
    }
}

fn sheet() -> String {
    let mut text = String::from(
        "text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace}\n\
         .title{font-size:12.5px}\n.b{font-weight:700}\n.d{opacity:.62}\n.i{font-style:italic}\n\
         .u{text-decoration:underline}\n",
    );
    text.push_str(&scheme(&LIGHT));
    text.push_str("@media (prefers-color-scheme:dark){\n");
    text.push_str(&scheme(&DARK));
    text.push_str("}\n");
    text
}

fn scheme([ground, frame, usual, quiet, named @ ..]: &[&str; 20]) -> String {
    let mut text = format!(
        ".window{{fill:{ground};stroke:{frame}}}\n.frame{{fill:{frame}}}\ntext,.t{{fill:{usual}}}\n\
         .title{{fill:{quiet}}}\n.g{{fill:{ground}}}\n"
    );
    for (at, colour) in named.iter().enumerate() {
        text.push_str(&format!(".f{at}{{fill:{colour}}}\n"));
    }
    text
}

/// XML text; characters that XML has no place for become a question mark.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('?'),
            c if c.is_control() => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}

fn across(columns: usize) -> f64 {
    f64::from(u32::try_from(columns).unwrap_or(u32::MAX)) * CELL_WIDTH
}

fn down(rows: usize) -> f64 {
    f64::from(u32::try_from(rows).unwrap_or(u32::MAX)) * LINE_HEIGHT
}

#[cfg(test)]
mod tests {
    use super::super::screen::Screen;
    use super::*;

    fn texts(written: &str) -> Vec<String> {
        let picture = draw(&Screen::of(written, 100).rows(), 100, "t");
        let lines = picture.lines().filter(|line| line.contains("xml:space"));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn runs_stand_in_their_columns() {
        let runs = texts("ab \u{1b}[1;32m✓ ok\u{1b}[0m\r\n<&\">");
        assert_eq!(
            runs,
            [
                "<text x=\"18.0\" y=\"50.0\" textLength=\"25.2\" xml:space=\"preserve\">ab </text>",
                "<text class=\"f2 b\" x=\"43.2\" y=\"50.0\" textLength=\"33.6\" xml:space=\"preserve\">✓ ok</text>",
                "<text x=\"18.0\" y=\"69.0\" textLength=\"33.6\" xml:space=\"preserve\">&lt;&amp;&quot;&gt;</text>",
            ]
        );
    }

    #[test]
    fn grounds_are_drawn_below_their_text() {
        let picture = draw(
            &Screen::of("\u{1b}[44ma\u{1b}[0;7mb\u{1b}[0;38;2;1;2;255mc", 9).rows(),
            9,
            "t",
        );
        for part in [
            "<rect class=\"f4\" x=\"18.0\" y=\"36.0\" width=\"8.4\" height=\"19\"/>\n<text class=\"g\" x=\"18.0\"",
            "<rect class=\"t\" x=\"26.4\"",
            "<text class=\"g\" x=\"26.4\"",
            "<text fill=\"#0102ff\" x=\"34.8\"",
        ] {
            assert!(picture.contains(part), "{part}\n{picture}");
        }
    }

    #[test]
    fn the_window_fits_and_knows_both_schemes() {
        let picture = draw(&[], 100, "a <b> & \u{1}");
        assert!(
            picture.contains("width=\"876.0\" height=\"54.0\""),
            "{picture}"
        );
        assert!(picture.contains("<title>a &lt;b&gt; &amp; ?</title>"));
        assert!(picture.contains("prefers-color-scheme:dark") && picture.contains(DARK[0]));
        assert_eq!(picture.matches('{').count(), picture.matches('}').count());
    }
}
