//! The Lambda function around the pipeline.
