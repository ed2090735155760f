//! Classifies failures of a store: an outage passes by itself, a refusal lasts until somebody fixes
//! its cause.

use std::error::Error as StdError;
use std::fmt;
use std::io::ErrorKind as IoErrorKind;

use buoyant_kernel::Error as KernelError;
use object_store::Error as StoreError;
use object_store::client::{HttpError, HttpErrorKind};

/// The AWS credential chain found no credentials.
#[derive(Debug)]
pub(crate) struct NoCredentials;

impl fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no AWS credentials found")
    }
}

impl StdError for NoCredentials {}

/// A reason why a store refuses requests, and the remedy.
struct Cause {
    sentence: &'static str,
    remedy: &'static str,
}

const NO_CREDENTIALS: Cause = Cause {
    sentence: "no AWS credentials found",
    remedy: "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the function \
             or machine a role, and run again",
};
const NO_BUCKET: Cause = Cause {
    sentence: "the bucket does not exist",
    remedy: "fix the bucket's name in `staging` or `lake`, or create the bucket, and run again",
};
const NO_PERMISSION: Cause = Cause {
    sentence: "the store denies access",
    remedy: "grant s3:ListBucket and s3:GetObject on staging and lake, and s3:PutObject and \
             s3:DeleteObject on the lake, to the role or user that runs dmslake (and use of the KMS \
             key, if the bucket has one), and run again",
};
const BAD_CREDENTIALS: Cause = Cause {
    sentence: "the store rejects the credentials",
    remedy: "renew the credentials (the session may have expired, or the clock may be wrong), and \
             run again",
};
const OTHER_REGION: Cause = Cause {
    sentence: "the bucket is in another region or at another endpoint",
    remedy: "set AWS_REGION (or the profile's region) to the bucket's region, and run again",
};
const NOBODY_LISTENS: Cause = Cause {
    sentence: "cannot connect to the store",
    remedy: "fix AWS_ENDPOINT_URL, AWS_REGION or the network (DNS, proxy, VPC endpoint), and run \
             again",
};
const NO_ANSWER: Cause = Cause { sentence: "the store does not answer", ..NOBODY_LISTENS };
const NO_ACCESS: Cause = Cause {
    sentence: "the file system denies access",
    remedy: "give the user that runs dmslake access to the folder, and run again",
};

/// The reason for an error code of AWS.
fn of_code(code: &str) -> Option<&'static Cause> {
    Some(match code {
        "NoSuchBucket" | "InvalidBucketName" => &NO_BUCKET,
        "AccessDenied"
        | "AllAccessDisabled"
        | "AccountProblem"
        | "AccessDeniedException"
        | "KMS.DisabledException"
        | "KMS.NotFoundException"
        | "KMS.InvalidStateException" => &NO_PERMISSION,
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "InvalidToken"
        | "TokenRefreshRequired"
        | "RequestTimeTooSkewed"
        | "InvalidSecurity"
        | "NotSignedUp"
        | "UnrecognizedClientException"
        | "ExpiredTokenException"
        | "InvalidSignatureException"
        | "IncompleteSignature" => &BAD_CREDENTIALS,
        "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IncorrectEndpoint"
        | "IllegalLocationConstraintException" => &OTHER_REGION,
        _ => return None,
    })
}

/// A failure that retrying cannot fix.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) sentence: &'static str,
    pub(super) remedy: &'static str,
    /// The address of the request, if the error contains it.
    pub(super) address: Option<String>,
    /// The error code of the answer, if there was one.
    pub(super) answer: Option<String>,
}

impl Refusal {
    /// The first refusal among the causes of an error.
    pub(super) fn of(error: &(dyn StdError + 'static)) -> Option<Self> {
        causes(error).find_map(|found| {
            let text = found.to_string();
            let cause = of_cause(found, &text)?;
            let answer = code(&text).map(str::to_owned);
            Some(Self { address: address(error), answer, ..Self::from(cause) })
        })
    }

    /// As [`Self::of`], where a request that was not answered in time is a refusal too.
    pub(super) fn of_first_request(error: &(dyn StdError + 'static)) -> Option<Self> {
        let is_timeout = |cause: &(dyn StdError + 'static)| {
            let http: Option<&HttpError> = cause.downcast_ref();
            http.is_some_and(|http| http.kind() == HttpErrorKind::Timeout)
        };
        if causes(error).any(is_timeout) {
            return Some(Self { address: address(error), ..Self::from(&NO_ANSWER) });
        }
        Self::of(error)
    }

    /// The refusal of an AWS service that answered with this code.
    pub(super) fn of_code(code: &str) -> Option<Self> {
        Some(Self { answer: Some(code.to_owned()), ..Self::from(of_code(code)?) })
    }

    /// The refusal of a service that could not be reached.
    pub(super) fn without_answer(has_credentials: bool) -> Self {
        Self::from(if has_credentials { &NOBODY_LISTENS } else { &NO_CREDENTIALS })
    }
}

impl From<&Cause> for Refusal {
    fn from(cause: &Cause) -> Self {
        let Cause { sentence, remedy } = *cause;
        Self { sentence, remedy, address: None, answer: None }
    }
}

fn of_cause(cause: &(dyn StdError + 'static), text: &str) -> Option<&'static Cause> {
    if cause.is::<NoCredentials>() {
        return Some(&NO_CREDENTIALS);
    }
    if let Some(http) = cause.downcast_ref::<HttpError>() {
        return (http.kind() == HttpErrorKind::Connect).then_some(&NOBODY_LISTENS);
    }
    if let Some(io) = cause.downcast_ref::<std::io::Error>() {
        let is_refused =
            matches!(io.kind(), IoErrorKind::PermissionDenied | IoErrorKind::ReadOnlyFilesystem);
        return is_refused.then_some(&NO_ACCESS);
    }
    let by_code = code(text).and_then(of_code);
    // The library's message for a redirect without a target.
    let is_redirect = text.contains("Received redirect without LOCATION");
    by_code.or(is_redirect.then_some(&OTHER_REGION)).or(match cause.downcast_ref() {
        // Answers to HEAD requests have no body and thus no error code.
        Some(StoreError::PermissionDenied { source, .. })
            if !has_cause::<NoCredentials>(source.as_ref()) =>
        {
            Some(&NO_PERMISSION)
        }
        Some(StoreError::Unauthenticated { source, .. })
            if !has_cause::<NoCredentials>(source.as_ref()) =>
        {
            Some(&BAD_CREDENTIALS)
        }
        _ => None,
    })
}

/// Whether the error says that a file or an object does not exist.
pub(crate) fn is_missing(error: &(dyn StdError + 'static)) -> bool {
    let is_missing = |cause: &(dyn StdError + 'static)| {
        matches!(cause.downcast_ref(), Some(StoreError::NotFound { .. }))
            || matches!(cause.downcast_ref(), Some(KernelError::FileNotFound(_)))
            || matches!(cause.downcast_ref::<std::io::Error>(), Some(io) if io.kind() == IoErrorKind::NotFound)
    };
    causes(error).any(is_missing) && Refusal::of(error).is_none()
}

/// Whether the store caused a library's failure. Such a failure may pass later, whatever the
/// library calls it.
pub(super) fn began_in_store(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|cause| cause.is::<StoreError>() || cause.is::<std::io::Error>())
}

fn has_cause<T: StdError + 'static>(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(<dyn StdError>::is::<T>)
}

/// An error and its causes, including those that the kernel does not expose as sources.
pub(super) fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| next(*error))
}

fn next<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref() {
        Some(KernelError::ObjectStore(inner)) => Some(inner),
        Some(KernelError::IOError(inner)) => Some(inner),
        Some(KernelError::Backtraced { source, .. }) => Some(source.as_ref()),
        Some(_) | None => match error.downcast_ref::<std::io::Error>() {
            // Its `source` skips the wrapped error.
            Some(io) => io.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
            None => error.source(),
        },
    }
}

/// The error code in the XML of S3's answer.
fn code(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code).filter(|code| is_code(code))
}

fn is_code(code: &str) -> bool {
    code.bytes().all(|sign| sign.is_ascii_alphanumeric() || sign == b'.')
}

/// The address that the library sent its request to, without the query, which is long. The
/// library's message begins `Error performing GET <URL> in`.
fn address(error: &(dyn StdError + 'static)) -> Option<String> {
    let texts = causes(error).map(ToString::to_string);
    let url = texts.filter_map(|text| {
        let (_, rest) = text.split_once("Error performing ")?;
        let url = rest.split_whitespace().nth(1)?;
        let (url, _) = url.split_once('?').unwrap_or((url, ""));
        url.contains("://").then(|| url.to_owned())
    });
    url.into_iter().next()
}
