//! A terminal as far as Baton uses one: text, SGR colours, carriage return,
//! erasing and moving, so that a progress bar leaves only its last state.
//! Each character takes one column; what is not understood is skipped.

/// A colour as it was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Colour {
    #[default]
    Usual,
    /// One of the sixteen.
    Named(u8),
    Rgb(u8, u8, u8),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) text: Colour,
    pub(super) ground: Colour,
    pub(super) bold: bool,
    pub(super) dim: bool,
    pub(super) italic: bool,
    pub(super) underline: bool,
    pub(super) reverse: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) c: char,
    pub(super) style: Style,
}

const BLANK: Cell = Cell {
    c: ' ',
    style: Style {
        text: Colour::Usual,
        ground: Colour::Usual,
        bold: false,
        dim: false,
        italic: false,
        underline: false,
        reverse: false,
    },
};

/// No command moves further than this in one go, whatever it says.
const MOVE_MAX: usize = 10_000;

/// Everything a command wrote, as the rows a person would see by scrolling back.
pub(super) struct Screen {
    columns: usize,
    rows: Vec<Vec<Cell>>,
    row: usize,
    column: usize,
    style: Style,
}

impl Screen {
    pub(super) fn of(written: &str, columns: usize) -> Self {
        let mut screen = Self {
            columns,
            rows: Vec::new(),
            row: 0,
            column: 0,
            style: Style::default(),
        };
        let mut rest = written.chars();
        while let Some(c) = rest.next() {
            match c {
                '\u{1b}' => screen.escape(&mut rest),
                '\n' => (screen.row, screen.column) = (screen.row + 1, 0),
                '\r' => screen.column = 0,
                '\u{8}' => screen.column = screen.column.saturating_sub(1),
                '\t' => screen.column = (screen.column / 8 + 1) * 8,
                c if c.is_control() => {}
                c => screen.put(c),
            }
        }
        screen
    }

    /// The rows, without blanks at their ends and empty ones below the last.
    pub(super) fn rows(&self) -> Vec<Vec<Cell>> {
        let mut rows = self.rows.clone();
        for row in &mut rows {
            let used = row
                .iter()
                .rposition(|cell| *cell != BLANK)
                .map_or(0, |at| at + 1);
            row.truncate(used);
        }
        let used = rows
            .iter()
            .rposition(|row| !row.is_empty())
            .map_or(0, |at| at + 1);
        rows.truncate(used);
        rows
    }

    fn put(&mut self, c: char) {
        if self.column >= self.columns {
            (self.row, self.column) = (self.row + 1, 0);
        }
        if self.rows.len() <= self.row {
            self.rows.resize_with(self.row + 1, Vec::new);
        }
        let row = &mut self.rows[self.row];
        if row.len() <= self.column {
            row.resize(self.column + 1, BLANK);
        }
        row[self.column] = Cell {
            c,
            style: self.style,
        };
        self.column += 1;
    }

    fn escape(&mut self, rest: &mut std::str::Chars<'_>) {
        match rest.next() {
            Some('[') => self.control(rest),
            // A title or a link: up to a bell, or to ESC and a backslash.
            Some(']') => while !matches!(rest.next(), None | Some('\u{7}' | '\\')) {},
            // The choice of a character set names one more.
            Some('(' | ')') => drop(rest.next()),
            _ => {}
        }
    }

    fn control(&mut self, rest: &mut std::str::Chars<'_>) {
        let mut numbers = String::new();
        let Some(last) = rest.find(|c| {
            let ends = ('@'..='~').contains(c);
            if !ends {
                numbers.push(*c);
            }
            ends
        }) else {
            return;
        };
        let numbers: Vec<usize> = numbers
            .split([';', ':'])
            .map(|number| number.parse().unwrap_or(0))
            .collect();
        let first = numbers[0];
        let steps = first.clamp(1, MOVE_MAX);
        match last {
            'm' => self.colour(&numbers),
            'A' => self.row = self.row.saturating_sub(steps),
            'B' => self.row += steps,
            'C' => self.column += steps,
            'D' => self.column = self.column.saturating_sub(steps),
            'G' => self.column = steps - 1,
            'H' => {
                let column = numbers.get(1).copied().unwrap_or(1).clamp(1, MOVE_MAX);
                (self.row, self.column) = (steps - 1, column - 1);
            }
            'J' if first >= 2 => self.rows.clear(),
            'J' => {
                self.erase_line(0);
                self.rows.truncate(self.row + 1);
            }
            'K' => self.erase_line(first),
            _ => {}
        }
    }

    fn erase_line(&mut self, what: usize) {
        let column = self.column;
        let Some(row) = self.rows.get_mut(self.row) else {
            return;
        };
        match what {
            0 => row.truncate(column),
            1 => row
                .iter_mut()
                .take(column + 1)
                .for_each(|cell| *cell = BLANK),
            _ => row.clear(),
        }
    }

    /// SGR, as ECMA-48 8.3.117 and xterm have it.
    fn colour(&mut self, numbers: &[usize]) {
        let style = &mut self.style;
        let mut at = 0;
        while at < numbers.len() {
            match numbers[at] {
                0 => *style = Style::default(),
                1 => style.bold = true,
                2 => style.dim = true,
                3 => style.italic = true,
                4 => style.underline = true,
                7 => style.reverse = true,
                22 => (style.bold, style.dim) = (false, false),
                23 => style.italic = false,
                24 => style.underline = false,
                27 => style.reverse = false,
                n @ 30..=37 => style.text = Colour::Named(small(n - 30)),
                n @ 40..=47 => style.ground = Colour::Named(small(n - 40)),
                n @ 90..=97 => style.text = Colour::Named(small(n - 82)),
                n @ 100..=107 => style.ground = Colour::Named(small(n - 92)),
                39 => style.text = Colour::Usual,
                49 => style.ground = Colour::Usual,
                n @ (38 | 48) => {
                    let (colour, used) = extended(&numbers[at + 1..]);
                    at += used;
                    *(if n == 38 {
                        &mut style.text
                    } else {
                        &mut style.ground
                    }) = colour;
                }
                _ => {}
            }
            at += 1;
        }
    }
}

/// `5;N` or `2;R;G;B` after 38 or 48, and how many numbers it took.
fn extended(numbers: &[usize]) -> (Colour, usize) {
    match *numbers {
        [5, n, ..] => (indexed(small(n)), 2),
        [2, r, g, b, ..] => (Colour::Rgb(small(r), small(g), small(b)), 4),
        _ => (Colour::Usual, numbers.len()),
    }
}

/// The 256 colours of xterm: sixteen named, a cube of six steps, a grey ramp.
fn indexed(n: u8) -> Colour {
    let step = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
    match n {
        0..=15 => Colour::Named(n),
        16..=231 => {
            let n = n - 16;
            Colour::Rgb(step(n / 36), step(n / 6 % 6), step(n % 6))
        }
        232.. => {
            let grey = 8 + 10 * (n - 232);
            Colour::Rgb(grey, grey, grey)
        }
    }
}

fn small(n: usize) -> u8 {
    u8::try_from(n).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(written: &str) -> Vec<String> {
        let rows = Screen::of(written, 10).rows();
        rows.iter()
            .map(|row| row.iter().map(|cell| cell.c).collect())
            .collect()
    }

    fn style(written: &str) -> Style {
        Screen::of(&format!("{written}x"), 10).rows()[0][0].style
    }

    #[test]
    fn text_wraps_and_blank_ends_go() {
        assert_eq!(shown("ab  \r\n\r\nc\r\n\r\n"), ["ab", "", "c"]);
        assert_eq!(shown("0123456789abc"), ["0123456789", "abc"]);
        assert_eq!(shown("✓ é\ta"), ["✓ é     a"]);
        assert_eq!(shown(""), Vec::<String>::new());
    }

    #[test]
    fn progress_leaves_its_last_state() {
        assert_eq!(shown("50 %\r100 %"), ["100 %"]);
        assert_eq!(shown("working\r\u{1b}[Kdone"), ["done"]);
        assert_eq!(shown("a\r\nb\r\n\u{1b}[2A\u{1b}[Jc"), ["c"]);
        assert_eq!(shown("old\r\nold\u{1b}[H\u{1b}[2Jnew"), ["new"]);
        assert_eq!(shown("abc\u{1b}[2D\u{1b}[1K"), ["  c"]);
    }

    #[test]
    fn links_and_the_unknown_are_skipped() {
        assert_eq!(
            shown("\u{1b}]8;;http://x\u{1b}\\a\u{1b}]0;t\u{7}b\u{1b}[?25lc\u{1b}(Bd"),
            ["abcd"]
        );
        for broken in [
            "\u{1b}",
            "\u{1b}[",
            "\u{1b}[1;",
            "\u{1b}]0",
            "\u{1b}[38;5m",
            "\u{1b}[99999999999999999999Cx",
        ] {
            assert!(shown(broken).len() <= 1001, "ends");
        }
    }

    #[test]
    fn styles_are_those_asked_for() {
        assert_eq!(
            style("\u{1b}[1;32m"),
            Style {
                text: Colour::Named(2),
                bold: true,
                ..BLANK.style
            }
        );
        assert_eq!(style("\u{1b}[91;104m").text, Colour::Named(9));
        assert_eq!(style("\u{1b}[91;104m").ground, Colour::Named(12));
        assert_eq!(
            style("\u{1b}[38;5;1;2m"),
            Style {
                text: Colour::Named(1),
                dim: true,
                ..BLANK.style
            }
        );
        assert_eq!(style("\u{1b}[38;5;196m").text, Colour::Rgb(255, 0, 0));
        assert_eq!(style("\u{1b}[48;2;1;2;3m").ground, Colour::Rgb(1, 2, 3));
        assert_eq!(style("\u{1b}[38;5;255m").text, Colour::Rgb(238, 238, 238));
        for reset in ["0", "", "22;23;24;27;39;49"] {
            assert_eq!(
                style(&format!("\u{1b}[1;2;3;4;7;31;41m\u{1b}[{reset}m")),
                BLANK.style
            );
        }
    }
}
