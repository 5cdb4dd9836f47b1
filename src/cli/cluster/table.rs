//! Text tables.

use std::fmt::Write as _;

use anstyle::Style;

use super::terminal::clipped;

pub(super) const HEADING: Style = Style::new().bold();

/// The minimum width of the last column of a table, before other columns are left out.
const LAST: usize = 24;

/// A table whose columns are as wide as necessary.
pub(super) struct Table {
    headings: &'static [&'static str],
    /// The columns that are left out if the terminal is too narrow, in this order.
    spare: &'static [usize],
    rows: Vec<Row>,
}

struct Row {
    cells: Vec<String>,
    /// A column and its style.
    styled: (usize, Style),
    /// Whether it is shown first if there is no room for all rows.
    urgent: bool,
}

impl Table {
    pub(super) const fn new(headings: &'static [&'static str], spare: &'static [usize]) -> Self {
        Self {
            headings,
            spare,
            rows: Vec::new(),
        }
    }

    /// Adds a row in which one column has a style.
    pub(super) fn row<const N: usize>(
        &mut self,
        cells: [String; N],
        column: usize,
        style: Style,
        urgent: bool,
    ) {
        self.rows.push(Row {
            cells: cells.into(),
            styled: (column, style),
            urgent,
        });
    }

    /// Returns how many lines it takes, including the empty one before it.
    pub(super) fn height(&self) -> usize {
        match self.rows.len() {
            0 => 0,
            rows => rows + 2,
        }
    }

    /// Returns its lines, or none if it has only headings.
    pub(super) fn lines(&self, columns: Option<usize>) -> Vec<String> {
        self.lines_of(&self.rows.iter().collect::<Vec<_>>(), columns)
    }

    /// Returns this many of its lines, the urgent rows first.
    pub(super) fn fit(&self, columns: usize, lines: usize) -> Vec<String> {
        if self.height() <= lines {
            return self.lines(Some(columns));
        }
        // The empty line, the headings, and the line that says there are more.
        let room = lines.saturating_sub(3);
        if room == 0 {
            return Vec::new();
        }
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_by_key(|row| !row.urgent);
        rows.truncate(room);
        let mut lines = self.lines_of(&rows, Some(columns));
        lines.push(format!("... and {} more", self.rows.len() - room));
        lines
    }

    fn lines_of(&self, rows: &[&Row], columns: Option<usize>) -> Vec<String> {
        if rows.is_empty() {
            return Vec::new();
        }
        let shown = self.shown(rows, columns);
        let widths = self.widths(rows);
        let line = |cell: &dyn Fn(usize) -> String, style: &dyn Fn(usize) -> Style| {
            let (mut line, mut left) = (String::new(), columns.unwrap_or(usize::MAX));
            for (place, column) in shown.iter().enumerate() {
                let text = clipped(&cell(*column), left);
                let width = widths.get(*column).map_or(0, |width| width + 2);
                let taken = text.chars().count();
                let pad = width.saturating_sub(taken).min(left - taken);
                let pad = if place + 1 == shown.len() { 0 } else { pad };
                let style = style(*column);
                // Writing to a string cannot fail.
                let _infallible = write!(line, "{style}{text}{style:#}{:pad$}", "");
                left -= taken + pad;
            }
            line.trim_end().to_owned()
        };
        let heading = |column: usize| self.headings.get(column).copied().unwrap_or_default();
        let mut lines = vec![
            String::new(),
            line(&|column| heading(column).to_owned(), &|_| HEADING),
        ];
        lines.extend(rows.iter().map(|row| {
            line(
                &|column| row.cells.get(column).cloned().unwrap_or_default(),
                &|column| {
                    let (styled, style) = row.styled;
                    if column == styled {
                        style
                    } else {
                        Style::new()
                    }
                },
            )
        }));
        lines
    }

    fn widths(&self, rows: &[&Row]) -> Vec<usize> {
        let of_column = |(column, heading): (usize, &&str)| {
            let cells = rows.iter().filter_map(|row| row.cells.get(column));
            let widths = cells.map(|cell| cell.chars().count());
            widths.max().unwrap_or(0).max(heading.len())
        };
        self.headings.iter().enumerate().map(of_column).collect()
    }

    /// Returns the columns for which there is room.
    fn shown(&self, rows: &[&Row], columns: Option<usize>) -> Vec<usize> {
        let widths = self.widths(rows);
        let mut shown: Vec<usize> = (0..self.headings.len()).collect();
        let Some(columns) = columns else {
            return shown;
        };
        let needed = |shown: &[usize]| -> usize {
            let last = shown.last().and_then(|column| widths.get(*column));
            let before = shown.iter().rev().skip(1);
            let before: usize = before
                .filter_map(|it| widths.get(*it))
                .map(|it| it + 2)
                .sum();
            before + last.map_or(0, |last| (*last).min(LAST))
        };
        for spare in self.spare {
            if needed(&shown) <= columns {
                break;
            }
            shown.retain(|column| column != spare);
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["TASK", "NODE", "REASON"], &[1]);
        for (name, reason) in [
            ("web-a", ""),
            ("web-b", "web: ErrImagePull: there is no such image"),
            ("web-c", ""),
        ] {
            let node = "ip-10-0-0-1.eu-west-1.compute.internal";
            let cells = [name, node, reason].map(str::to_owned);
            table.row(cells, 0, Style::new(), !reason.is_empty());
        }
        table
    }

    fn plain(lines: &[String]) -> Vec<String> {
        let plain = |line: &String| anstream::adapter::strip_str(line).to_string();
        lines.iter().map(plain).collect()
    }

    #[test]
    fn a_narrow_terminal_gets_what_matters() {
        let lines = plain(&table().lines(Some(40)));
        assert_eq!(
            lines,
            [
                "",
                "TASK   REASON",
                "web-a",
                "web-b  web: ErrImagePull: there is no...",
                "web-c",
            ]
        );
        assert!(lines.iter().all(|line| line.len() <= 40));
        let lines = plain(&table().lines(None));
        assert!(lines[3].ends_with("there is no such image"), "{lines:?}");
        assert!(lines[3].contains("internal"), "{lines:?}");
    }

    #[test]
    fn where_rows_are_left_out_the_urgent_ones_stay() {
        assert_eq!(
            plain(&table().fit(20, 4)),
            [
                "",
                "TASK   REASON",
                "web-b  web: ErrIm...",
                "... and 2 more"
            ]
        );
        assert_eq!(table().fit(20, 3), [""; 0]);
    }
}
