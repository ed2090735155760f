//! What AWS DMS writes: object names, kinds of change, MySQL's column types, the endpoint settings
//! that change bytes, and the rules of the task. Pure: no I/O.

pub mod mysql_type;
pub mod object_name;
pub mod operation;
pub mod settings;
pub mod table_mappings;
pub mod task;

pub use mysql_type::MySqlType;
pub use object_name::{
    Classified, Compression, Format, ObjectName, Phase, classify, is_hidden, is_kept_by_dms,
};
pub use operation::Operation;
pub use settings::S3Settings;
pub use table_mappings::TableMappings;
pub use task::{Flaw, MissingRule, Task};
