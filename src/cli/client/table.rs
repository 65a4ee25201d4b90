//! Tables for people: two spaces in front and between, a line of dashes under the headers, each cell as wide as its column.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::output::printable;

const GUTTER: &str = "  ";

/// A table. Each row has a cell for each header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The line above it.
    pub title: String,
    /// What the columns are.
    pub headers: Vec<&'static str>,
    /// What is in them.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// As text, without a last line break.
    pub fn render(&self, bold: bool) -> String {
        let rows: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
        let width = |column: usize, header: &str| {
            rows.iter().map(|row| row[column].width()).chain([header.width()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> =
            self.headers.iter().enumerate().map(|(column, header)| width(column, header)).collect();
        let mut text = printable(&self.title);
        let mut line = |cells: &mut dyn Iterator<Item = String>| {
            let cells: Vec<String> = cells.collect();
            let _ = write!(text, "\n{GUTTER}{}", cells.join(GUTTER));
        };
        line(&mut self.headers.iter().zip(&widths).map(|(header, width)| {
            let (on, off) = if bold { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
            format!("{on}{header}{off}{}", " ".repeat(width - header.width()))
        }));
        line(&mut widths.iter().map(|width| "-".repeat(*width)));
        for row in &rows {
            line(
                &mut row.iter().zip(&widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.width()))),
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[[&str; 3]]) -> Table {
        Table {
            title: "Provider type: User/Password".to_owned(),
            headers: vec!["Email", "ID", "Details"],
            rows: rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect(),
        }
    }

    #[test]
    fn each_cell_is_as_wide_as_its_column() {
        let text = table(&[["user-2@test.com", "user-2", ""], ["a", "b", "cannot"]]).render(false);
        let lines: Vec<_> = text.lines().collect();
        let expect = [
            "Provider type: User/Password",
            "  Email            ID      Details",
            "  ---------------  ------  -------",
            "  user-2@test.com  user-2         ",
            "  a                b       cannot ",
        ];
        assert_eq!(lines, expect);
    }

    #[test]
    fn bold_headers_take_no_more_room() {
        let text = table(&[["a", "b", "c"]]).render(true);
        assert_eq!(
            text.lines().nth(1),
            Some("  \u{1b}[1mEmail\u{1b}[0m  \u{1b}[1mID\u{1b}[0m  \u{1b}[1mDetails\u{1b}[0m")
        );
    }

    #[test]
    fn letters_are_as_wide_as_they_are_and_nothing_moves_the_cursor() {
        let text = table(&[["日本", "é", "\u{1b}[2J\n"]]).render(false);
        let expect = "  日本   é   \u{fffd}[2J\u{fffd}  ";
        assert_eq!(text.lines().nth(3), Some(expect));
    }
}
