//! The `bootstrap` binary of the Lambda function.

fn main() {}
