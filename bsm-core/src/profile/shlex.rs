//! Splitting words as a POSIX shell quotes them.

/// Splits a line into words; `None` if a quote is left open.
///
/// It is Python's `shlex.split`, which botocore uses for section names and `credential_process`:
/// no variables, no globs, no comments, and a backslash in double quotes escapes only `"` and `\`.
pub(crate) fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => {
                // A quote begins a word even if nothing follows in it: `''` is an empty word.
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            c @ ('"' | '\\') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn words_are_split_as_python_does() {
        for (line, words) in [
            ("", vec![]),
            ("profile dev", vec!["profile", "dev"]),
            ("profile \"del ta\"", vec!["profile", "del ta"]),
            ("profile 'a\\b'", vec!["profile", "a\\b"]),
            (r#"a\ b "c\"d\e" #x"#, vec!["a b", r#"c"d\e"#, "#x"]),
            ("a '' b", vec!["a", "", "b"]),
            ("\ta\"b\"'c'", vec!["abc"]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line:?}");
        }
        for open in ["'a", "\"a", "a\\", "\"a\\"] {
            assert_eq!(split(open), None, "{open:?}");
        }
    }
}
