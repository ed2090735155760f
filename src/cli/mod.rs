//! The command line around the pipeline.
