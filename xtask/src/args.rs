//! The words after the name of a chore: flags, values and the rest.

use crate::Answer;

/// Takes words out one kind after the other; [`Args::rest`] refuses what is left over.
pub(crate) struct Args {
    words: Vec<String>,
    /// What stands after `--`, untouched.
    after: Vec<String>,
}

impl Args {
    pub(crate) fn new(words: impl IntoIterator<Item = String>) -> Self {
        let mut words: Vec<String> = words.into_iter().collect();
        let mut after = Vec::new();
        if let Some(at) = words.iter().position(|word| word == "--") {
            after = words.split_off(at);
            after.remove(0);
        }
        Self { words, after }
    }

    pub(crate) fn asks_for_help(&self) -> bool {
        self.words
            .iter()
            .any(|word| word == "--help" || word == "-h")
    }

    /// Whether `--name` was given.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| word != name);
        self.words.len() < before
    }

    /// Every value of `--name VALUE` or `--name=VALUE`, in order.
    pub(crate) fn values(&mut self, name: &str) -> Answer<Vec<String>> {
        let mut values = Vec::new();
        while let Some(at) = self.words.iter().position(|word| {
            word == name || word.strip_prefix(name).is_some_and(|v| v.starts_with('='))
        }) {
            let word = self.words.remove(at);
            if let Some((_, value)) = word.split_once('=') {
                values.push(value.to_owned());
            } else if at < self.words.len() {
                values.push(self.words.remove(at));
            } else {
                return Err(format!("{name} wants a value"));
            }
        }
        Ok(values)
    }

    /// The one value of `--name`, if it was given.
    pub(crate) fn value(&mut self, name: &str) -> Answer<Option<String>> {
        let mut values = self.values(name)?;
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(format!("{name} was given more than once")),
        }
    }

    /// The words that are no options, and those after `--`.
    pub(crate) fn rest(self) -> Answer<(Vec<String>, Vec<String>)> {
        match self.words.iter().find(|word| word.starts_with('-')) {
            Some(unknown) => Err(format!("{unknown} is no option here; see --help")),
            None => Ok((self.words, self.after)),
        }
    }

    /// All words as they stand, for a chore that passes them on.
    pub(crate) fn all(self) -> Vec<String> {
        self.words.into_iter().chain(self.after).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Args {
        Args::new(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn flags_values_and_the_rest_are_told_apart() {
        let mut args = args("a --fast --without x b --without=y -- --json");
        assert!(args.flag("--fast") && !args.flag("--fast") && !args.flag("--json"));
        assert_eq!(args.values("--without").unwrap(), ["x", "y"]);
        let (words, after) = args.rest().unwrap();
        assert_eq!(
            (words, after),
            (
                vec!["a".to_owned(), "b".to_owned()],
                vec!["--json".to_owned()]
            )
        );
    }

    #[test]
    fn what_is_wrong_is_refused() {
        assert!(args("--without").values("--without").is_err());
        assert!(args("--out a --out b").value("--out").is_err());
        assert!(args("--fats").rest().is_err());
        assert_eq!(args("--output a").value("--out").unwrap(), None);
    }

    #[test]
    fn help_after_two_dashes_is_for_somebody_else() {
        assert!(args("a --help").asks_for_help());
        assert!(!args("-- --help").asks_for_help());
        assert_eq!(args("--quick -- --help").all(), ["--quick", "--help"]);
    }
}
