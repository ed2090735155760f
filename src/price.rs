//! What work costs, about: requests to S3, what is stored there and, in the function, the time.

use crate::storage::Requests;

/// USD for a thousand requests that write or list. The prices are those of `infra/cost.py`, for US
/// East (N. Virginia) before free tiers, as read on 26 November 2026; a test compares them.
pub const S3_PUT_THOUSAND: f64 = 0.005;
/// USD for a thousand requests that read.
pub const S3_GET_THOUSAND: f64 = 0.0004;
/// USD for a GB that is stored for a month.
pub const S3_GB_MONTH: f64 = 0.023;
/// USD for a second of a function with one GB, on arm64.
pub const LAMBDA_GB_SECOND: f64 = 0.000_013_333_4;
/// The memory of a function that has one processor, in MB: the share grows with the memory.
pub const MEGABYTES_OF_A_PROCESSOR: u32 = 1769;

/// USD for requests. Requests that delete cost nothing.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "no run makes 2^53 requests")]
pub fn of_requests(requests: &Requests) -> f64 {
    let dear = (requests.put + requests.list) as f64;
    let cheap = (requests.get + requests.head) as f64;
    (dear * S3_PUT_THOUSAND + cheap * S3_GET_THOUSAND) / 1000.0
}

/// USD a month for so many bytes in S3.
#[must_use]
pub fn of_storage(bytes: f64) -> f64 {
    bytes / 1e9 * S3_GB_MONTH
}

/// USD for so many seconds of a function with so many GB.
#[must_use]
pub fn of_time(seconds: f64, gigabytes: f64) -> f64 {
    seconds * gigabytes * LAMBDA_GB_SECOND
}
