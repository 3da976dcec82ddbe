//! The name that a misspelt one is probably meant to be.

/// Returns the closest of some names, if at most `limit` letters differ.
pub(crate) fn closest<'a>(
    name: &str,
    names: impl IntoIterator<Item = &'a str>,
    limit: usize,
) -> Option<&'a str> {
    let names = names.into_iter();
    let distances = names.map(|known| (edit_distance(name, known), known));
    let (distance, known) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= limit).then_some(known)
}

/// Returns how many letters have to be inserted, removed or replaced; two swapped neighbours are two.
fn edit_distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_typos() {
        for (one, other, distance) in [
            ("", "", 0),
            ("staging", "staging", 0),
            ("stagign", "staging", 2),
            ("stagin", "staging", 1),
            ("prod", "production", 6),
            ("é", "e", 1),
        ] {
            assert_eq!(edit_distance(one, other), distance, "{one} {other}");
            assert_eq!(edit_distance(other, one), distance, "{other} {one}");
        }
        assert_eq!(closest("stagign", ["dev", "staging"], 2), Some("staging"));
        assert_eq!(closest("zebra", ["dev", "staging"], 2), None);
    }
}
