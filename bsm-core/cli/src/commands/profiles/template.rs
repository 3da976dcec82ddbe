//! The names of synced profiles.

use std::str::FromStr;

/// A template for names, such as `{account_name}.{role_name}`.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Part>);

/// What a name is made of.
pub(super) struct Fields<'a> {
    pub(super) sso_session: &'a str,
    pub(super) account_id: &'a str,
    /// May be empty.
    pub(super) account_name: &'a str,
    pub(super) role_name: &'a str,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    AccountId,
    AccountName,
    RoleName,
    SsoSession,
}

impl FromStr for Template {
    type Err = String;

    fn from_str(template: &str) -> Result<Self, Self::Err> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((text, field)) = rest.split_once('{') {
            let (field, after) = field
                .split_once('}')
                .ok_or("a { has no }: write {account_name}.{role_name}")?;
            parts.push(Part::Text(text.to_owned()));
            parts.push(match field {
                "account_id" => Part::AccountId,
                "account_name" => Part::AccountName,
                "role_name" => Part::RoleName,
                "sso_session" => Part::SsoSession,
                _ => {
                    return Err(format!(
                        "there is no field {{{field}}}: the fields are {{account_id}}, {{account_name}}, \
                         {{role_name}} and {{sso_session}}"
                    ));
                }
            });
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }
}

impl Template {
    /// Returns the name of a profile.
    pub(super) fn name(&self, fields: &Fields<'_>) -> String {
        let of_part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::AccountId => fields.account_id.to_owned(),
            // Accounts without a name must still get different profiles.
            Part::AccountName if fields.account_name.is_empty() => fields.account_id.to_owned(),
            Part::AccountName => fields.account_name.to_owned(),
            Part::RoleName => fields.role_name.to_owned(),
            Part::SsoSession => fields.sso_session.to_owned(),
        };
        let name: String = self.0.iter().map(of_part).collect();
        name.trim().chars().map(plain).collect()
    }
}

/// Replaces what would have to be quoted in the title of a section, or on a command line.
fn plain(c: char) -> char {
    match c {
        c if c.is_alphanumeric() => c,
        '.' | '_' | '-' | '@' | '+' | '/' => c,
        _ => '-',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_needs_no_quotes() {
        let cases = [
            ("{account_name}.{role_name}", "shop", "shop.Admin"),
            (
                "{account_name}.{role_name}",
                "My  Shop \"x\"]",
                "My--Shop--x--.Admin",
            ),
            ("{account_name}.{role_name}", "", "111111111111.Admin"),
            (
                "{account_name}.{role_name}",
                "Büro\n[default]",
                "Büro--default-.Admin",
            ),
            (
                "{sso_session}/{account_id}-x",
                "shop",
                "corp/111111111111-x",
            ),
            ("fixed", "shop", "fixed"),
        ];
        for (template, account_name, expected) in cases {
            let template: Template = template.parse().unwrap();
            let fields = Fields {
                sso_session: "corp",
                account_id: "111111111111",
                account_name,
                role_name: "Admin",
            };
            assert_eq!(template.name(&fields), expected);
        }
    }

    #[test]
    fn a_template_that_cannot_be_meant_is_refused() {
        for template in ["{role}", "{account_name", "{}", "{{role_name}}"] {
            assert!(template.parse::<Template>().is_err(), "{template}");
        }
    }
}
