//! Tables without lines, as kubectl prints them.

use comfy_table::{Table, presets};

/// Renders rows below a header, columns two spaces apart.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.iter().copied());
    // A name from elsewhere must neither break a row nor colour the terminal.
    let plain = |cell: &String| cell.chars().map(|c| if c.is_control() { '·' } else { c }).collect::<String>();
    table.add_rows(rows.iter().map(|row| row.iter().map(plain).collect::<Vec<_>>()));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_line_up_without_trailing_blanks() {
        let text =
            super::table(&["HOST", "STATE"], &[vec!["m1".into(), "ok".into()], vec!["worker-1".into(), "x".into()]]);
        assert_eq!(text, "HOST      STATE\nm1        ok\nworker-1  x");
        assert_eq!(super::table(&["A"], &[vec!["\u{1b}[31mred\nb".into()]]), "A\n·[31mred·b");
    }
}
