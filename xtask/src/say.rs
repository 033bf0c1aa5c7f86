//! The one place of the chores that writes to the screen.

use std::io::Write;

/// Results, on standard output.
#[expect(
    clippy::print_stdout,
    reason = "chores speak on standard output, and only here"
)]
pub(crate) fn out(text: &str) {
    print!("{text}");
    // A closed pipe is the reader's choice, and no trouble of the chore.
    drop(std::io::stdout().flush());
}

/// Progress and complaints, on standard error.
#[expect(
    clippy::print_stderr,
    reason = "chores speak on standard error, and only here"
)]
pub(crate) fn aside(text: &str) {
    eprint!("{text}");
}

/// Rows as columns with two blanks between; the last column is not padded.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(at) {
                Some(known) => *known = width.max(*known),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!(" {cell:<width$} "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = table(&[row(["✓ fmt", "1 s"]), row(["✗ clippy", ""])]);
        assert_eq!(text, "  ✓ fmt     1 s\n  ✗ clippy\n");
    }
}
