//! The partitions of AWS, each with a console of its own.

use crate::failure::{Class, Failure};

/// A partition that has a console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Partition {
    name: &'static str,
    signin: &'static str,
    console: &'static str,
}

const PARTITIONS: [Partition; 4] = [
    Partition {
        name: "aws",
        signin: "signin.aws.amazon.com",
        console: "console.aws.amazon.com",
    },
    Partition {
        name: "aws-cn",
        signin: "signin.amazonaws.cn",
        console: "console.amazonaws.cn",
    },
    Partition {
        name: "aws-us-gov",
        signin: "signin.amazonaws-us-gov.com",
        console: "console.amazonaws-us-gov.com",
    },
    Partition {
        name: "aws-eusc",
        signin: "signin.amazonaws-eusc.eu",
        console: "console.amazonaws-eusc.eu",
    },
];

impl Partition {
    /// Returns the partition of an ARN.
    pub(super) fn of_arn(arn: &str) -> Result<Self, Failure> {
        let name = arn.split(':').nth(1).unwrap_or_default();
        let found = PARTITIONS.iter().find(|partition| partition.name == name);
        found.copied().ok_or_else(|| {
            let message = format!("the console of the partition {name:?} is not known to bsm");
            Failure::new(Class::Failed, message)
        })
    }

    /// Returns the scheme and host of the federation endpoint.
    pub(super) fn signin_origin(self) -> String {
        format!("https://{}", self.signin)
    }

    /// Returns the address of a service's console.
    pub(super) fn console_url(
        self,
        service: &str,
        region: Option<&str>,
    ) -> Result<String, Failure> {
        // The name becomes a segment of the path, which it must not be able to end.
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if service.is_empty() || !service.chars().all(is_name) {
            return Err(Failure::usage(format!(
                "{service:?} is not a service: write it as in the console's addresses, such as s3"
            )));
        }
        let query = region.map(|region| format!("?region={region}"));
        let query = query.unwrap_or_default();
        let (host, path) = (self.console, format!("{service}/home"));
        Ok(format!("https://{host}/{path}{query}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_its_own_hosts() {
        for (arn, signin, console) in [
            (
                "arn:aws:sts::1:assumed-role/A/b",
                "https://signin.aws.amazon.com",
                "https://console.aws.amazon.com/s3/home?region=r",
            ),
            (
                "arn:aws-cn:sts::1:assumed-role/A/b",
                "https://signin.amazonaws.cn",
                "https://console.amazonaws.cn/s3/home?region=r",
            ),
            (
                "arn:aws-us-gov:sts::1:assumed-role/A/b",
                "https://signin.amazonaws-us-gov.com",
                "https://console.amazonaws-us-gov.com/s3/home?region=r",
            ),
            (
                "arn:aws-eusc:sts::1:assumed-role/A/b",
                "https://signin.amazonaws-eusc.eu",
                "https://console.amazonaws-eusc.eu/s3/home?region=r",
            ),
        ] {
            let partition = Partition::of_arn(arn).unwrap();
            assert_eq!(partition.signin_origin(), signin);
            assert_eq!(partition.console_url("s3", Some("r")).unwrap(), console);
        }
        assert!(Partition::of_arn("arn:aws-iso:sts::1:x").is_err());
        let aws = Partition::of_arn("arn:aws:x").unwrap();
        for service in ["", "s3/../x", "s3?x", "@evil"] {
            assert!(aws.console_url(service, None).is_err(), "{service}");
        }
    }
}
