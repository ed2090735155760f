//! The shop: customers, orders and order items, and a busy day, the same in every run.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::source::{Kind, Moment, SourceTable, Value, Values};

const SEED: u64 = 20_260_301;
const CUSTOMERS: i64 = 2_000;
const ORDERS: i64 = 5_000;
const SECOND: i64 = 1_000_000;
/// 2026-03-01 08:00:00 UTC, in microseconds since 1970.
const OPENING: i64 = 1_772_352_000 * SECOND;

const FIRST_NAMES: [&str; 10] =
    ["Ada", "Björn", "Chloé", "Dmitri", "Edsger", "Frances", "Grace", "Hedy", "Ismaël", "Jean"];
const LAST_NAMES: [&str; 8] =
    ["Allen", "Bartik", "Codd", "Dijkstra", "Gray", "Hopper", "Lovelace", "O'Neil"];
const COUNTRIES: [&str; 6] = ["CH", "DE", "FR", "GB", "JP", "US"];
/// Texts that CSV has to get right: quotes, delimiters, newlines, other scripts.
const NOTES: [&str; 5] = [
    "prefers mail, not phone",
    "asked for \"express\"\nsee order form",
    "客户自取",
    "calls back; mornings only",
    "50% off \\ once",
];
const STATUSES: [&str; 4] = ["new", "paid", "sent", "received"];
const COUPONS: [&str; 3] = ["SPRING", "WELCOME10", "LOYAL"];
const STATUS: usize = 2;
const TOTAL: usize = 3;
const QUANTITY: usize = 3;

/// A table of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// The customers.
    Customers,
    /// The orders.
    Orders,
    /// The lines of each order.
    Items,
}

impl Table {
    /// All tables.
    pub(super) const ALL: [Self; 3] = [Self::Customers, Self::Orders, Self::Items];
}

/// The shop's database and its clock.
#[derive(Debug)]
pub(super) struct Shop {
    tables: [SourceTable; 3],
    random: StdRng,
    time: i64,
    sequence: u64,
    next_customer: i64,
    next_order: i64,
}

impl Shop {
    /// The shop when it opens, with customers and orders from earlier days.
    pub(super) fn open() -> Self {
        let mut shop = Self::found();
        (0..CUSTOMERS).for_each(|_| shop.register());
        (0..ORDERS).for_each(|_| shop.order());
        shop
    }

    /// The shop with empty tables.
    pub(super) fn found() -> Self {
        let customers = SourceTable::new(
            "customers",
            1,
            &[
                ("id", Kind::UnsignedBig),
                ("name", Kind::Text("varchar(80)")),
                ("email", Kind::Text("varchar(120)")),
                ("country", Kind::Text("char(2)")),
                ("newsletter", Kind::Tiny),
                ("note", Kind::Text("text")),
                ("created_at", Kind::Instant),
            ],
        );
        let orders = SourceTable::new(
            "orders",
            1,
            &[
                ("id", Kind::Big),
                ("customer_id", Kind::UnsignedBig),
                ("status", Kind::Text("enum('new','paid','sent','received')")),
                ("total", Kind::Money { precision: 12 }),
                ("placed_at", Kind::Instant),
            ],
        );
        let items = SourceTable::new(
            "order_items",
            2,
            &[
                ("order_id", Kind::Big),
                ("line", Kind::UnsignedSmall),
                ("sku", Kind::Text("varchar(32)")),
                ("quantity", Kind::UnsignedInt),
                ("price", Kind::Money { precision: 10 }),
            ],
        );
        Self {
            tables: [customers, orders, items],
            random: StdRng::seed_from_u64(SEED),
            time: OPENING - (CUSTOMERS + ORDERS) * SECOND,
            sequence: 0,
            next_customer: 1,
            next_order: 1,
        }
    }

    /// One of the tables.
    pub(super) fn table(&self, table: Table) -> &SourceTable {
        &self.tables[table as usize]
    }

    /// One of the tables, to change it.
    pub(super) fn table_mut(&mut self, table: Table) -> &mut SourceTable {
        &mut self.tables[table as usize]
    }

    /// Lets time pass. Returns a time at which nothing else happens, in microseconds since 1970.
    pub(super) fn tick(&mut self) -> i64 {
        self.time += SECOND + self.random.random_range(0..SECOND);
        self.time
    }

    /// Does one of the things that happen in a shop.
    pub(super) fn trade(&mut self) {
        match self.random.random_range(0..100) {
            0..30 => self.order(),
            30..62 => self.progress(),
            62..74 => self.change_quantity(),
            74..82 => self.cancel(),
            82..88 => self.change_customer(),
            88..92 => self.register(),
            92..94 => self.forget(),
            94..97 => self.renumber_customer(),
            _ => self.move_item(),
        }
    }

    /// Adds a column for coupons to the orders.
    pub(super) fn introduce_coupons(&mut self) {
        self.table_mut(Table::Orders).add_column("coupon", Kind::Text("varchar(20)"));
    }

    fn register(&mut self) {
        let id = self.next_customer;
        self.next_customer += 1;
        let first = pick(&mut self.random, &FIRST_NAMES);
        let last = pick(&mut self.random, &LAST_NAMES);
        let has_note = self.random.random_ratio(1, 4);
        let note = if has_note { text(pick(&mut self.random, &NOTES)) } else { Value::Null };
        let moment = self.moment();
        let row = vec![
            Value::Integer(id),
            text(&format!("{first} {last}")),
            text(&format!("customer{id}@example.org")),
            text(pick(&mut self.random, &COUNTRIES)),
            Value::Integer(i64::from(self.random.random_ratio(1, 3))),
            note,
            Value::Instant(moment.time),
        ];
        self.table_mut(Table::Customers).insert(moment, row);
    }

    fn order(&mut self) {
        let customer = self.some_key(Table::Customers)[0].clone();
        let id = self.next_order;
        self.next_order += 1;
        let lines = self.random.random_range(1..=4);
        let items: Vec<(i64, i64)> = (0..lines)
            .map(|_| (self.random.random_range(1..=5), self.random.random_range(99..20_000)))
            .collect();
        let total = items.iter().map(|(quantity, price)| quantity * price).sum();
        let moment = self.moment();
        let mut row = vec![
            Value::Integer(id),
            customer,
            text(STATUSES[0]),
            Value::Money(total),
            Value::Instant(moment.time),
        ];
        if self.table(Table::Orders).columns().len() > row.len() {
            let has_coupon = self.random.random_ratio(1, 2);
            row.push(if has_coupon { text(pick(&mut self.random, &COUPONS)) } else { Value::Null });
        }
        self.table_mut(Table::Orders).insert(moment, row);
        for (line, (quantity, price)) in (1..).zip(items) {
            let sku = format!("SKU-{:05}", self.random.random_range(0..400));
            let row = vec![
                Value::Integer(id),
                Value::Integer(line),
                text(&sku),
                Value::Integer(quantity),
                Value::Money(price),
            ];
            let moment = self.next_in_transaction();
            self.table_mut(Table::Items).insert(moment, row);
        }
    }

    fn progress(&mut self) {
        let key = self.recent_order();
        self.edit(Table::Orders, &key, |row| {
            let reached = STATUSES.iter().position(|status| row[STATUS] == text(status));
            let next = reached.map_or(0, |position| (position + 1).min(STATUSES.len() - 1));
            row[STATUS] = text(STATUSES[next]);
        });
    }

    fn change_quantity(&mut self) {
        let item = self.some_key(Table::Items);
        let quantity = self.random.random_range(1..=9);
        self.edit(Table::Items, &item, |row| row[QUANTITY] = Value::Integer(quantity));
        self.total_again(&item[..1]);
    }

    fn cancel(&mut self) {
        let order = self.recent_order();
        for item in self.items_of(&order) {
            let moment = self.next_in_transaction();
            self.table_mut(Table::Items).delete(moment, &item);
        }
        let moment = self.moment();
        self.table_mut(Table::Orders).delete(moment, &order);
    }

    fn change_customer(&mut self) {
        let key = self.some_key(Table::Customers);
        let note = text(pick(&mut self.random, &NOTES));
        let newsletter = i64::from(self.random.random_ratio(1, 2));
        self.edit(Table::Customers, &key, |row| {
            row[4] = Value::Integer(newsletter);
            row[5] = note;
        });
    }

    fn forget(&mut self) {
        let key = self.some_key(Table::Customers);
        let moment = self.moment();
        self.table_mut(Table::Customers).delete(moment, &key);
    }

    /// Changes a key: the same row gets another number.
    fn renumber_customer(&mut self) {
        let key = self.some_key(Table::Customers);
        let id = Value::Integer(self.next_customer);
        self.next_customer += 1;
        self.edit(Table::Customers, &key, |row| row[0] = id);
    }

    /// Changes a composite key: an item moves to the end of another order.
    fn move_item(&mut self) {
        let item = self.some_key(Table::Items);
        let order = self.recent_order();
        let last_line = self.items_of(&order).last().map_or(0, |last| integer(&last[1]));
        let target = vec![order[0].clone(), Value::Integer(last_line + 1)];
        self.edit(Table::Items, &item, |row| row[..2].clone_from_slice(&target));
        self.total_again(&item[..1]);
        self.total_again(&order);
    }

    /// Sets an order's total to the sum of its items, if the order still exists.
    fn total_again(&mut self, order: &[Value]) {
        let total = self.items_of(order).into_iter().map(|item| {
            let row = self.table(Table::Items).row(&item).expect("listed just now");
            integer(&row[QUANTITY]) * integer(&row[4])
        });
        let total = Value::Money(total.sum());
        if self.table(Table::Orders).row(order).is_some() {
            self.edit(Table::Orders, order, |row| row[TOTAL] = total);
        }
    }

    fn edit(&mut self, table: Table, key: &[Value], change: impl FnOnce(&mut Values)) {
        let moment = self.moment();
        let table = self.table_mut(table);
        let mut row = table.row(key).expect("keys come from the table").clone();
        change(&mut row);
        table.update(moment, key, row);
    }

    fn items_of(&self, order: &[Value]) -> Vec<Values> {
        let keys = self.table(Table::Items).rows().range(order.to_vec()..);
        keys.map(|(key, _)| key.clone()).take_while(|key| key[0] == order[0]).collect()
    }

    /// The first key from a random number upwards, which avoids walking through the table.
    fn some_key(&mut self, table: Table) -> Values {
        let newest = match table {
            Table::Customers => self.next_customer,
            Table::Orders | Table::Items => self.next_order,
        };
        let from = vec![Value::Integer(self.random.random_range(1..newest))];
        let rows = self.table(table).rows();
        let found = rows.range(from..).next().or_else(|| rows.first_key_value());
        found.expect("the shop is never empty").0.clone()
    }

    /// One of the recent orders, so that some orders change several times between two objects.
    fn recent_order(&mut self) -> Values {
        let rows = self.tables[Table::Orders as usize].rows();
        let back = self.random.random_range(0..rows.len().min(60));
        rows.keys().nth_back(back).expect("the index is in range").clone()
    }

    fn moment(&mut self) -> Moment {
        self.time += self.random.random_range(SECOND / 10..2 * SECOND);
        self.next_in_transaction()
    }

    fn next_in_transaction(&mut self) -> Moment {
        self.sequence += 1;
        Moment { time: self.time, sequence: self.sequence }
    }
}

fn pick<'a>(random: &mut StdRng, choices: &[&'a str]) -> &'a str {
    choices.choose(random).expect("never empty")
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn integer(value: &Value) -> i64 {
    match value {
        Value::Integer(number) | Value::Money(number) => *number,
        Value::Null | Value::Text(_) | Value::Instant(_) => 0,
    }
}
