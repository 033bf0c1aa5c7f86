//! The prose of a step as HTML that does nothing but say it.
//!
//! It promises that no markup of the author gets through but CommonMark's own:
//! raw HTML is shown as it was written, pictures become their words, and a link
//! stays one only to `http:`, `https:` and `mailto:`.

use pulldown_cmark::{Event, LinkType, Parser, Tag, TagEnd, html};

/// Markdown as harmless HTML.
pub(super) fn harmless(markdown: &str) -> String {
    // For each link that is open, whether it is one.
    let mut links: Vec<bool> = Vec::new();
    let events = Parser::new(markdown).filter_map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(Tag::HtmlBlock) => Some(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::HtmlBlock) => Some(Event::End(TagEnd::Paragraph)),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => {
            let leads = link_type == LinkType::Email || leads_out(&dest_url);
            links.push(leads);
            leads.then_some(Event::Start(Tag::Link {
                link_type,
                dest_url,
                title,
                id,
            }))
        }
        Event::End(TagEnd::Link) => links.pop().unwrap_or(false).then_some(event),
        event => Some(event),
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    out
}

fn leads_out(url: &str) -> bool {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        ["http", "https", "mailto"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(scheme))
    })
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn nothing_but_words_and_plain_links_gets_through() {
        for (markdown, html) in [
            (
                "a *b* `c < d`",
                "<p>a <em>b</em> <code>c &lt; d</code></p>\n",
            ),
            (
                "x <script>alert(1)</script>",
                "<p>x &lt;script&gt;alert(1)&lt;/script&gt;</p>\n",
            ),
            (
                "<div onclick=\"x()\">\nhi\n</div>",
                "<p>&lt;div onclick=\"x()\"&gt;\nhi\n&lt;/div&gt;</p>\n",
            ),
            ("<!-- </p> -->", "<p>&lt;!-- &lt;/p&gt; --&gt;</p>\n"),
            (
                "[a](https://b.example \"t\\\"><x>\")",
                "<p><a href=\"https://b.example\" title=\"t&quot;&gt;&lt;x&gt;\">a</a></p>\n",
            ),
            ("[a](javascript:alert(1))", "<p>a</p>\n"),
            ("[a](JaVaScRiPt:alert(1))", "<p>a</p>\n"),
            ("[a](data:text/html,x)", "<p>a</p>\n"),
            ("[a](//evil.example)", "<p>a</p>\n"),
            ("[a](/api/leave)", "<p>a</p>\n"),
            ("<javascript:alert(1)>", "<p>javascript:alert(1)</p>\n"),
            (
                "<omar@shop.example>",
                "<p><a href=\"mailto:omar@shop.example\">omar@shop.example</a></p>\n",
            ),
            (
                "[![alt <b>](https://t.example/p.gif)](vbscript:x) end",
                "<p>alt &lt;b&gt; end</p>\n",
            ),
            (
                "```\"><script>\nx\n```",
                "<pre><code class=\"language-&quot;&gt;&lt;script&gt;\">x\n</code></pre>\n",
            ),
        ] {
            assert_eq!(harmless(markdown), html, "{markdown}");
        }
    }
}
