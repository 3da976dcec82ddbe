//! The emulated services and their protocols.

/// The XML namespace of STS.
pub(crate) const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
/// The XML namespace of IAM.
pub(crate) const IAM_NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// An emulated service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Service {
    DynamoDb,
    Sts,
    Iam,
    Organizations,
    /// Only with the feature `s3`.
    #[cfg(feature = "s3")]
    S3,
    /// IAM Identity Center: SSO OIDC and the SSO portal.
    Sso,
    /// The metadata service of an EC2 instance.
    Instance,
    /// The credentials of a container.
    Container,
    /// Any other service. Its requests are rejected.
    Unknown,
}

impl Service {
    /// Returns `true` if requests are not signed.
    pub(crate) fn is_unsigned(self) -> bool {
        matches!(self, Self::Sso | Self::Instance | Self::Container)
    }

    /// Returns the protocol of the service.
    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::DynamoDb | Self::Organizations => Protocol::Json,
            Self::Sts | Self::Unknown => Protocol::Query(STS_NAMESPACE),
            Self::Iam => Protocol::Query(IAM_NAMESPACE),
            #[cfg(feature = "s3")]
            Self::S3 => Protocol::RestXml,
            Self::Sso | Self::Instance | Self::Container => Protocol::RestJson,
        }
    }
}

/// How a service encodes requests and responses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Protocol {
    /// JSON bodies and the header `x-amz-target`: DynamoDB and Organizations.
    Json,
    /// JSON bodies, operations by path, and the header `x-amzn-errortype`: SSO.
    RestJson,
    /// Form-encoded requests and XML responses in this namespace: STS and IAM.
    Query(&'static str),
    /// Operations by method and path, and XML responses: S3.
    #[cfg(feature = "s3")]
    RestXml,
}
