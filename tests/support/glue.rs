//! AWS Glue's Data Catalog in moto, through a separate client.

use std::collections::HashMap;

use aws_sdk_glue::Client;
use aws_sdk_glue::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_glue::types::{DatabaseInput, TableInput};

use super::moto::Moto;

pub(crate) struct Glue(Client);

/// The content of an entry.
pub(crate) struct Entry {
    /// Each followed by its type.
    pub(crate) columns: Vec<String>,
    pub(crate) place: String,
    pub(crate) parameters: HashMap<String, String>,
    pub(crate) description: Option<String>,
}

impl Glue {
    pub(crate) async fn at(moto: &Moto) -> Self {
        let chain = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(moto.endpoint())
            .credentials_provider(Credentials::new("test", "test", None, None, "tests"));
        Self(Client::new(&chain.load().await))
    }

    pub(crate) async fn make_database(&self, name: &str) {
        let input = DatabaseInput::builder().name(name).build().unwrap();
        self.0.create_database().database_input(input).send().await.unwrap();
    }

    pub(crate) async fn entry(&self, database: &str, table: &str) -> Entry {
        let found = self.0.get_table().database_name(database).name(table).send().await.unwrap();
        let found = found.table.unwrap();
        let storage = found.storage_descriptor.unwrap();
        let spelled = |column: &aws_sdk_glue::types::Column| {
            format!("{} {}", column.name(), column.r#type().unwrap())
        };
        Entry {
            columns: storage.columns().iter().map(spelled).collect(),
            place: storage.location.unwrap(),
            parameters: found.parameters.unwrap(),
            description: found.description,
        }
    }

    /// Somebody else describes a table.
    pub(crate) async fn describe(&self, database: &str, table: &str, text: &str) {
        let found = self.0.get_table().database_name(database).name(table).send().await.unwrap();
        let found = found.table.unwrap();
        let input = TableInput::builder()
            .name(table)
            .description(text)
            .set_parameters(found.parameters)
            .set_storage_descriptor(found.storage_descriptor)
            .set_table_type(found.table_type)
            .build()
            .unwrap();
        self.0.update_table().database_name(database).table_input(input).send().await.unwrap();
    }
}
