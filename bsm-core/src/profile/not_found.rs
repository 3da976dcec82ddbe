//! What the error says about a profile that does not exist: the likely mistake, the closest name, and
//! the profiles that there are.

use super::shlex;

/// Names that are listed. A file can have thousands of profiles, and a message is read by people.
const MAX_LISTED: usize = 10;

/// Characters of a name that are shown.
const MAX_NAME: usize = 64;

/// Returns what follows "profile .. does not exist in ..".
///
/// `names` are the profiles that there are, and `other_titles` those of sections in the config file that
/// mean nothing to AWS's tools.
pub(super) fn advice<'a>(
    name: &str,
    names: &[&str],
    other_titles: impl Iterator<Item = &'a str>,
) -> String {
    let mut advice = listed(names);
    if let Some(mistake) = mistake(name, names, other_titles) {
        advice.push_str(&format!("; {mistake}"));
    } else if let Some(closest) = closest(name, names) {
        advice.push_str(&format!("; did you mean {:?}?", clipped(closest)));
    }
    advice
}

/// Lists profiles, not too many.
pub(super) fn listed(names: &[&str]) -> String {
    let shown: Vec<_> = names
        .iter()
        .take(MAX_LISTED)
        .copied()
        .map(clipped)
        .collect();
    let shown = shown.join(", ");
    match names.len() {
        0 => "there are no profiles in them".to_owned(),
        1..=MAX_LISTED => format!("existing profiles: {shown}"),
        all => format!("there are {all} profiles, such as {shown}"),
    }
}

/// Returns what a section that was meant to be the profile should be called.
fn mistake<'a>(
    name: &str,
    names: &[&str],
    mut other_titles: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let in_config = other_titles.find(|title| meant(title) == name);
    if let Some(title) = in_config {
        return Some(format!(
            "the config file has a section [{}], which is not a profile: write it as [{}]",
            clipped(title),
            config_title(name)
        ));
    }
    let in_credentials = format!("profile {name}");
    let title = names.iter().find(|title| {
        title.starts_with("profile") && (meant(title) == name || **title == in_credentials)
    })?;
    Some(format!(
        "the credentials file has a section [{}]: write it as [{}] there",
        clipped(title),
        clipped(name)
    ))
}

/// Returns the name that a title was probably meant to have, without quotes and blanks.
fn meant(title: &str) -> String {
    let words = match shlex::split(title) {
        Some(words) => words,
        None => title
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '\'']).to_owned())
            .collect(),
    };
    match words.as_slice() {
        [first, rest @ ..] if first.eq_ignore_ascii_case("profile") => rest.join(" "),
        words => words.join(" "),
    }
}

/// Returns the title of a profile in the config file, quoted where botocore needs it.
fn config_title(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_.@/+:".contains(c);
    match name {
        "default" => name.to_owned(),
        _ if name.chars().all(plain) => format!("profile {}", clipped(name)),
        _ => format!("profile {:?}", clipped(name)),
    }
}

/// Returns the name that differs least, if it differs little.
fn closest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    // Bounded, because the distance takes time in proportion to the product of the lengths.
    let wanted: Vec<char> = name.trim().to_lowercase().chars().take(MAX_NAME).collect();
    // A third of the letters: "dev" and "prod" are two names, and not one with mistakes.
    let most = (wanted.len() / 3).max(1);
    let near = names.iter().filter_map(|candidate| {
        let letters: Vec<char> = candidate
            .to_lowercase()
            .chars()
            // One more than of the wanted name, so that a longer name has at least one difference.
            .take(MAX_NAME + 1)
            .collect();
        let distance = match letters.len().abs_diff(wanted.len()) {
            difference if difference > most => return None,
            _ => distance(&wanted, &letters),
        };
        (distance <= most).then_some((distance, *candidate))
    });
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Returns how many letters differ, are missing, or have changed places with their neighbour.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut above = vec![0; other.len() + 1];
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut next = vec![i + 1; other.len() + 1];
        for (j, b) in other.iter().enumerate() {
            let replaced = row[j] + usize::from(a != b);
            next[j + 1] = replaced.min(row[j + 1] + 1).min(next[j] + 1);
            // Two neighbours that have changed places are one mistake, and not two.
            if i > 0 && j > 0 && one[i - 1] == *b && *a == other[j - 1] {
                next[j + 1] = next[j + 1].min(above[j - 1] + 1);
            }
        }
        above = std::mem::replace(&mut row, next);
    }
    row[other.len()]
}

fn clipped(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_is_offered_if_it_is_close() {
        for (name, names, found) in [
            (
                "stagign",
                &["default", "production", "staging"][..],
                Some("staging"),
            ),
            ("Prod", &["dev", "prod"], Some("prod")),
            ("dev ", &["dev"], Some("dev")),
            ("prd", &["dev", "prod"], Some("prod")),
            ("dev", &["prod", "default"], None),
            ("x", &["y", "abc"], Some("y")),
            ("", &["abc"], None),
        ] {
            assert_eq!(closest(name, names), found, "{name:?}");
        }
    }

    #[test]
    fn a_list_is_short_whatever_the_files_have() {
        let names: Vec<_> = (0..500)
            .map(|n| format!("profile-{n}-{}", "x".repeat(500)))
            .collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let text = listed(&names);
        assert!(
            text.starts_with("there are 500 profiles, such as profile-0-x"),
            "{text}"
        );
        assert!(text.len() < 1_000, "{text}");
        assert_eq!(listed(&["a", "b"]), "existing profiles: a, b");
    }
}
