//! The parts of items that document paths lead to.

use serde_json::{Map, Value, json};

use super::expression_tokens::PathElement;

/// Returns the part of a value that these sorted paths lead to. Lists contain only the elements that a path
/// leads to, without gaps.
pub(super) fn part(value: &Value, paths: &[&[PathElement]]) -> Option<Value> {
    if paths.iter().any(|path| path.is_empty()) {
        return Some(value.clone());
    }
    let mut map = Map::new();
    let mut list = Vec::new();
    for paths in paths.chunk_by(|one, two| one[0] == two[0]) {
        let rest: Vec<_> = paths.iter().map(|path| &path[1..]).collect();
        match &paths[0][0] {
            PathElement::Name(name) => {
                let found = value["M"].get(name).and_then(|value| part(value, &rest));
                map.extend(found.map(|found| (name.clone(), found)));
            }
            PathElement::Index(index) => {
                let found = value["L"].get(index);
                list.extend(found.and_then(|value| part(value, &rest)));
            }
        }
    }
    match (map.is_empty(), list.is_empty()) {
        (false, _) => Some(json!({ "M": map })),
        (true, false) => Some(json!({ "L": list })),
        (true, true) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamodb::expression_tokens::{targets, tokens};

    #[test]
    fn a_part_has_only_the_elements_that_paths_lead_to() {
        let number = |number: u32| json!({ "N": number.to_string() });
        let numbers = json!({ "L": [number(1), number(2), number(3)] });
        let value =
            json!({ "M": { "a": { "M": { "b": { "S": "x" }, "c": numbers } }, "d": number(4) } });
        let part_of = |expression: &str| {
            let tokens: Vec<_> = tokens(expression).collect();
            let mut paths = targets(&tokens, &Value::Null);
            paths.sort_unstable();
            let paths: Vec<_> = paths.iter().map(Vec::as_slice).collect();
            part(&value, &paths)
        };
        for (expression, expected) in [
            ("REMOVE a.c[1]", Some(json!({ "c": { "L": [number(2)] } }))),
            (
                "REMOVE a.c[2], a.b, a.c[0]",
                Some(json!({ "b": { "S": "x" }, "c": { "L": [number(1), number(3)] } })),
            ),
            ("SET a.c[100] = :v, a.x = :v, e[0] = :v", None),
        ] {
            let expected = expected.map(|inside| json!({ "M": { "a": { "M": inside } } }));
            assert_eq!(part_of(expression), expected, "{expression}");
        }
    }
}
