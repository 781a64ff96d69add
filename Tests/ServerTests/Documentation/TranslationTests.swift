import Testing

extension ServerTests {
    /// Translated pages are in step with the English ones.
    @Suite struct TranslationTests {
        /// What differs between a page and its translation.
        private static func differences(_ page: MarkdownPage, _ translation: MarkdownPage) -> [String] {
            var differences: [String] = []
            if page.sections.map(\.level) != translation.sections.map(\.level) {
                differences.append("headings: \(translation.sections.map(\.heading))")
            }
            for (own, other) in zip(page.sections, translation.sections) {
                let place = "\(own.heading) / \(other.heading)"
                let spans = own.codeSpans.symmetricDifference(other.codeSpans)
                if !spans.isEmpty { differences.append("\(place): only in one: \(spans.sorted())") }
                if own.shape != other.shape { differences.append("\(place): rows and items: \(other.shape)") }
            }
            if page.blocks.map(\.language) != translation.blocks.map(\.language) {
                differences.append("blocks: \(translation.blocks.map(\.language))")
            }
            for (own, other) in zip(page.blocks, translation.blocks)
            where own.withoutComments != other.withoutComments || own.session != other.session {
                differences.append("block at line \(own.line) / \(other.line)")
            }
            return differences
        }

        @Test(arguments: ["README", "docs/kong"])
        func `a translation has the same headings, keys and code`(name: String) throws {
            let found = Self.differences(try MarkdownPage("\(name).md"), try MarkdownPage("\(name).zh-CN.md"))
            #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
        }

        @Test func `what is not in step is found, translated comments are not`() {
            let english = "# A\n\nSet `dns.ttl`.\n\n```sh\nrun    # it runs\n```\n\n## B\n\n- one\n"
            func count(_ text: String) -> Int {
                Self.differences(MarkdownPage("a", text: english), MarkdownPage("b", text: text)).count
            }
            #expect(count("# 甲\n\n设置 `dns.ttl`。\n\n```sh\nrun    # 运行\n```\n\n## 乙\n\n- 一\n") == 0)
            #expect(count(english.replacing("## B", with: "### B")) == 1)
            #expect(count(english.replacing("dns.ttl", with: "dns.tll")) == 1)
            #expect(count(english.replacing("run ", with: "walk ")) == 1)
            #expect(count(english.replacing("```sh", with: "```console")) == 1)
            #expect(count(english.replacing("- one", with: "- one\n- two")) == 1)
            #expect(count(english.replacing("\n\n```sh", with: "\n\n<!-- session -->\n```sh")) == 1)
        }
    }
}
