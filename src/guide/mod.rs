//! The guide: what an operator needs to know, one page a topic.
//!
//! The pages are Markdown files in `src/guide`. `dmslake help TOPIC` prints the same texts. Links
//! between the pages work here; other links lead to files of the repository.
#![expect(clippy::doc_markdown, reason = "the pages are prose, with names of products in it")]

/// One page. In a page a link such as `[limits]` is defined at its end, by the name of the file.
/// The definitions here come first and so replace these by links to the modules.
macro_rules! pages {
    ($($topic:ident $file:literal,)*) => {$(
        #[doc = "[configuration]: crate::guide::configuration\n"]
        #[doc = "[operations]: crate::guide::operations\n"]
        #[doc = "[merging]: crate::guide::merging\n"]
        #[doc = "[readers]: crate::guide::readers\n"]
        #[doc = "[function]: crate::guide::function\n"]
        #[doc = "[limits]: crate::guide::limits\n"]
        #[doc = "[jobs]: crate::guide::jobs\n"]
        #[doc = "[inspecting]: crate::guide::inspecting\n"]
        #[doc = "[formats]: crate::guide::formats\n\n"]
        #[doc = include_str!($file)]
        pub mod $topic {}
    )*};
}

pages! {
    configuration "configuration.md",
    operations "operations.md",
    inspecting "inspecting.md",
    merging "merging.md",
    readers "readers.md",
    function "function.md",
    jobs "jobs.md",
    limits "limits.md",
    formats "formats.md",
}
