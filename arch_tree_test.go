package posthaste_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	// mdCode is what a markdown reader shows as it stands.
	mdCode = regexp.MustCompile("(?ms)^ *```.*?^ *```|`[^`\n]*`")
	// mdTarget finds [text](target), [name]: target, src="target" and href="target".
	mdTarget = regexp.MustCompile(`\]\(<?([^)>\s]+)|(?m:^ *\[[^]^][^]]*\]: *<?([^>\s]+))|(?:src|href)="([^"]+)"`)
	// absolute matches a target that names a scheme or a host.
	absolute = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9+.-]*:|//)`)
)

// linksLead wants the target of each relative link in a markdown file to exist.
// It does not look at fragments.
func linksLead(m *module) (found []string) {
	for _, name := range m.markdown {
		text, err := fs.ReadFile(m.fsys, name)
		if err != nil {
			return []string{err.Error()}
		}
		for _, groups := range mdTarget.FindAllSubmatch(mdCode.ReplaceAll(text, nil), -1) {
			link := string(slices.Concat(groups[1:]...))
			target, _, _ := strings.Cut(link, "#")
			if target == "" || absolute.MatchString(link) {
				continue
			}
			if unescaped, err := url.PathUnescape(target); err == nil {
				target = unescaped
			}
			if from := path.Dir(name); target[0] != '/' {
				target = path.Join(from, target)
			}
			if target = strings.Trim(target, "/"); !exists(m.fsys, target) {
				found = append(found, fmt.Sprintf("%s: the link to %s leads nowhere: there is no %s", name, link, target))
			}
		}
	}
	return found
}

func TestMarkdownLinks(t *testing.T) {
	enforce(t, linksLead,
		plant{tree{"a.md": "[b](docs/b.md#top) [c](/docs/b.md) [here](#x) [d](docs/)", "docs/b.md": "[a](../a.md)\n[r]: ../a.md"}, ""},
		plant{tree{"a.md": "[x](https://example.com/x) <a@b.c> [m](mailto:a@b.c)\n```\n[x](y.md)\n```\n`[x](y.md)`"}, ""},
		plant{tree{"a.md": "see [b](b.md)"}, "a.md: the link to b.md leads nowhere"},
		plant{tree{"docs/a.md": "[![b](../b.png)](a.md)"}, "docs/a.md: the link to ../b.png leads nowhere: there is no b.png"},
		plant{tree{"bench/go.mod": "module bench", "bench/README.md": "[b](b.md)"}, "there is no bench/b.md"},
		plant{tree{"a.md": "text [b]\n\n[b]: b.md"}, "there is no b.md"},
		plant{tree{"a.md": `<img src="b.png">`}, "there is no b.png"},
		plant{tree{"a.md": "[out](../../issues)"}, "the link to ../../issues leads nowhere"},
	)
}

// requirement finds the modules that a go.mod requires.
var requirement = regexp.MustCompile(`(?m)^(?:require )?\t?([a-z0-9.-]+\.[a-z]+/\S+) v[0-9]`)

// noticeIsComplete wants a line in NOTICE for each module that go.mod requires:
// who ships a program with posthaste in it owes its authors that notice.
func noticeIsComplete(m *module) (found []string) {
	gomod, err := fs.ReadFile(m.fsys, "go.mod")
	if err != nil {
		return []string{err.Error()}
	}
	notice, err := fs.ReadFile(m.fsys, "NOTICE")
	if err != nil {
		return []string{err.Error()}
	}
	listed := strings.Fields(string(notice))
	for _, groups := range requirement.FindAllStringSubmatch(string(gomod), -1) {
		if !slices.Contains(listed, groups[1]) {
			found = append(found, fmt.Sprintf("go.mod requires %s, which NOTICE does not list: add it under its licence", groups[1]))
		}
	}
	return found
}

func TestNotice(t *testing.T) {
	const gomod = "module m\nrequire (\n\tgo.uber.org/zap v1.28.0 // indirect\n\tgithub.com/a/b v1.0.0\n)\nrequire gopkg.in/c v1.0.0\n"
	enforce(t, noticeIsComplete,
		plant{tree{"go.mod": gomod, "NOTICE": "MIT\n  go.uber.org/zap\n  github.com/a/b\n  gopkg.in/c\n"}, ""},
		plant{tree{"go.mod": gomod, "NOTICE": "MIT\n  go.uber.org/zap\n  github.com/a/bc\n  gopkg.in/c\n"}, "go.mod requires github.com/a/b, which"},
		plant{tree{"go.mod": gomod, "NOTICE": "  go.uber.org/zap github.com/a/b\n"}, "go.mod requires gopkg.in/c"},
		plant{tree{"go.mod": gomod}, "NOTICE"},
	)
}
