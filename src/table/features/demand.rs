//! What a table asks of its writers, and what takes it back.

/// What helps in every case.
pub(super) const BEGIN_ANEW: &str = "move the table folder away and apply again";

/// Something that a table asks for and dmslake does not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Demand {
    /// What, and where it is asked for.
    pub(super) what: String,
    /// What takes it back.
    pub(super) undo: Undo,
}

/// What takes a demand back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Undo {
    /// A clause of `ALTER TABLE`.
    Statement(String),
    /// Nothing that keeps the table.
    BeginAnew,
}

impl Undo {
    pub(super) fn set(key: &str, value: &str) -> Self {
        Self::Statement(format!("SET TBLPROPERTIES ('{key}' = '{value}')"))
    }

    pub(super) fn unset(key: &str) -> Self {
        Self::Statement(format!("UNSET TBLPROPERTIES ('{key}')"))
    }
}

/// What takes all of these back from the table at a place.
pub(super) fn remedy(demands: &[Demand], place: &str) -> String {
    let mut statements: Vec<String> = Vec::new();
    for demand in demands {
        let Undo::Statement(clause) = &demand.undo else { return BEGIN_ANEW.to_owned() };
        let statement = format!("ALTER TABLE delta.`{place}` {clause}");
        if !statements.contains(&statement) {
            statements.push(statement);
        }
    }
    format!("run {} in Spark, or {BEGIN_ANEW}", statements.join("; "))
}
