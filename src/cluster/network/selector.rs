//! Calico's language of selectors: enough of it to tell what Calico would not read. What a selector means is Calico's.

/// Longer than any that somebody writes; it also bounds how deep brackets are nested.
const LONGEST: usize = 1024;

/// Says what keeps Calico from reading `text`.
pub fn check_selector(text: &str) -> Result<(), String> {
    if text.len() > LONGEST {
        return Err(format!("it has {} characters, more than {LONGEST}", text.len()));
    }
    let mut reader = Reader { rest: text.trim() };
    if reader.rest.is_empty() {
        // All of them.
        return Ok(());
    }
    reader.any()?;
    match reader.rest {
        "" => Ok(()),
        rest => Err(format!("`&&` or `||` is expected before {rest:?}")),
    }
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    /// Terms of which one has to hold.
    fn any(&mut self) -> Result<(), String> {
        self.all()?;
        while self.take("||") {
            self.all()?;
        }
        Ok(())
    }

    /// Terms that all have to hold.
    fn all(&mut self) -> Result<(), String> {
        self.term()?;
        while self.take("&&") {
            self.term()?;
        }
        Ok(())
    }

    fn term(&mut self) -> Result<(), String> {
        if self.take("!") {
            return self.term();
        }
        if self.take("(") {
            self.any()?;
            return self.want(")");
        }
        let label = self.word()?;
        match label {
            "all" | "global" if self.take("(") => self.want(")"),
            "has" if self.take("(") => {
                self.word()?;
                self.want(")")
            }
            label => self.comparison(label),
        }
    }

    fn comparison(&mut self, label: &str) -> Result<(), String> {
        if self.take("==") || self.take("!=") || self.keywords(&["contains"]) {
            return self.text(label);
        }
        if self.keywords(&["starts", "with"]) || self.keywords(&["ends", "with"]) {
            return self.text(label);
        }
        if self.keywords(&["in"]) || self.keywords(&["not", "in"]) {
            return self.set(label);
        }
        let instead = if self.rest.starts_with('=') { "; equality is `==`" } else { "" };
        Err(format!(
            "`==`, `!=`, `in {{…}}`, `contains`, `starts with` or the like is expected after {label:?}{instead}"
        ))
    }

    fn set(&mut self, label: &str) -> Result<(), String> {
        self.want("{")?;
        if self.take("}") {
            return Ok(());
        }
        loop {
            self.text(label)?;
            if !self.take(",") {
                return self.want("}");
            }
        }
    }

    /// A text in quotes of either kind.
    fn text(&mut self, label: &str) -> Result<(), String> {
        let quote = self.rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let Some(quote) = quote else {
            return Err(format!("a value in quotes is expected for {label:?}, such as 'bj1'"));
        };
        match self.rest[1..].find(quote) {
            Some(end) => {
                self.rest = self.rest[end + 2..].trim_start();
                Ok(())
            }
            None => Err(format!("the quote before {:?} is not closed", &self.rest[1..])),
        }
    }

    /// The key of a label, or the name of a function.
    fn word(&mut self) -> Result<&'t str, String> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
        let end = self.rest.find(|c| !good(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if word.is_empty() {
            let found = if rest.is_empty() { "it ends".to_owned() } else { format!("{rest:?} stands") };
            return Err(format!("{found} where the key of a label or `all()` is expected"));
        }
        self.rest = rest.trim_start();
        Ok(word)
    }

    /// Words one after the other; blanks between them may be missing.
    fn keywords(&mut self, words: &[&str]) -> bool {
        let mut rest = self.rest;
        for word in words {
            let Some(after) = rest.strip_prefix(word) else { return false };
            rest = after.trim_start();
        }
        self.rest = rest;
        true
    }

    fn take(&mut self, sign: &str) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn want(&mut self, sign: &str) -> Result<(), String> {
        match (self.take(sign), self.rest) {
            (true, _) => Ok(()),
            (false, "") => Err(format!("`{sign}` is missing at its end")),
            (false, rest) => Err(format!("`{sign}` is expected before {rest:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_calico_reads_is_read() {
        for good in [
            "",
            "all()",
            " all( ) ",
            "global()",
            "has(rack)",
            "!has(node-role.kubernetes.io/control-plane)",
            "topology.kubewright.dev/idc == 'bj1'",
            "idc != \"bj'1\" && (a in {'x', \"y\"} || b not in {'z'})",
            "a contains 'x' || a starts with 'x' || a ends with 'x' || a startswith 'x'",
            "all == 'x'",
            "a in {}",
        ] {
            assert_eq!(check_selector(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_it_does_not_read_is_told() {
        for (bad, why) in [
            ("idc = 'bj1'", "equality is `==`"),
            ("idc == bj1", "a value in quotes"),
            ("idc == 'bj1", "is not closed"),
            ("idc", "is expected after \"idc\""),
            ("idc == 'a' and rack == 'b'", "`&&` or `||` is expected"),
            ("idc == 'a' &&", "it ends where"),
            ("(all()", "`)` is missing"),
            ("all() )", "is expected before \")\""),
            ("a in 'x'", "`{` is expected"),
            ("a in {'x' 'y'}", "`}` is expected"),
            ("has()", "\")\" stands where"),
            ("é == 'x'", "stands where"),
        ] {
            let told = check_selector(bad).unwrap_err();
            assert!(told.contains(why), "{bad}: {told}");
        }
        assert!(check_selector(&"(".repeat(1024)).is_err() && check_selector(&"!".repeat(2000)).is_err());
    }
}
