//! Amazon resource names.

/// Splits an ARN into its six parts: `arn`, partition, service, region, account, resource.
///
/// Only the resource can contain a colon.
pub(crate) fn split(arn: &str) -> Option<[&str; 6]> {
    let mut parts = arn.splitn(6, ':');
    let mut next = || parts.next();
    Some([next()?, next()?, next()?, next()?, next()?, next()?])
}

/// Returns the account of an ARN.
pub(crate) fn account(arn: &str) -> Option<&str> {
    let [_, _, _, _, account, _] = split(arn)?;
    Some(account)
}

/// Returns the partition of an ARN.
pub(crate) fn partition(arn: &str) -> Option<&str> {
    let [_, partition, ..] = split(arn)?;
    Some(partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_keeps_its_colons() {
        let arn = "arn:aws:logs:us-east-1:111122223333:log-group:a:*";
        let parts = [
            "arn",
            "aws",
            "logs",
            "us-east-1",
            "111122223333",
            "log-group:a:*",
        ];
        assert_eq!(split(arn), Some(parts));
        assert_eq!(account(arn), Some("111122223333"));
        assert_eq!(split("arn:aws:logs"), None);
    }
}
