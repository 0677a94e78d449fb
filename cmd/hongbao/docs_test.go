package main

import (
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"hongbao/internal/telemetry"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

const root = "../../"

// readDocs are the pages for people, by path from the root.
func readDocs(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		names, err := filepath.Glob(root + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			pages[strings.TrimPrefix(filepath.ToSlash(name), root)] = readFile(t, name)
		}
	}
	if len(pages) < 7 {
		t.Fatalf("only %d pages found", len(pages))
	}
	return pages
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A command stands in a code span, or begins an indented line, perhaps behind name=$( .
var (
	inSpan = regexp.MustCompile("`(?:go run ./cmd/)?hongbao ([^`]+)`")
	inLine = regexp.MustCompile(`(?m)^    (?:\w+=\$\()?(?:go run ./cmd/)?hongbao ([^|>&;)#\n]+)`)
	flagOf = regexp.MustCompile(`^--([a-z-]+)`)
)

func commandsOf(page string) []string {
	var all []string
	for _, found := range slices.Concat(inSpan.FindAllStringSubmatch(page, -1), inLine.FindAllStringSubmatch(page, -1)) {
		all = append(all, found[1])
	}
	return all
}

// TestDocsCommandsExist: every command that a page names is one, with its flags.
func TestDocsCommandsExist(t *testing.T) {
	t.Parallel()
	n := 0
	for name, page := range readDocs(t) {
		for _, line := range commandsOf(page) {
			n++
			if err := checkCommand(strings.Fields(line)); err != nil {
				t.Errorf("%s: hongbao %s: %v", name, line, err)
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d commands found: has the form of the pages changed?", n)
	}
}

func checkCommand(words []string) error {
	cmd := newRootCommand(&app{process: process{out: io.Discard, errOut: io.Discard}})
	for len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		i := slices.IndexFunc(cmd.Commands(), func(c *cobra.Command) bool { return c.Name() == words[0] })
		if i < 0 {
			if cmd.HasSubCommands() {
				return fmt.Errorf("%s has no command %q", cmd.CommandPath(), words[0])
			}
			break // its arguments
		}
		cmd, words = cmd.Commands()[i], words[1:]
	}
	for _, word := range words {
		flag := flagOf.FindStringSubmatch(word)
		if flag != nil && flag[1] != "help" && cmd.Flags().Lookup(flag[1]) == nil && cmd.InheritedFlags().Lookup(flag[1]) == nil {
			return fmt.Errorf("%s has no flag --%s", cmd.CommandPath(), flag[1])
		}
	}
	return nil
}

// TestDocsTargetsExist: every `make` target that a page names is in the Makefile.
func TestDocsTargetsExist(t *testing.T) {
	t.Parallel()
	makefile := readFile(t, root+"Makefile")
	target := regexp.MustCompile("(?m)(?:`|^    )make ([a-z -]+)")
	for name, page := range readDocs(t) {
		for _, found := range target.FindAllStringSubmatch(page, -1) {
			for goal := range strings.FieldsSeq(found[1]) {
				if !strings.Contains(makefile, "\n"+goal+":") {
					t.Errorf("%s: make %s: there is no such target", name, goal)
				}
			}
		}
	}
}

// TestDocsMetrics: docs/operating.md lists the metrics that a process has, and no others.
func TestDocsMetrics(t *testing.T) {
	t.Parallel()
	described := &describing{Registry: telemetry.NewRegistry("test"), names: map[string]bool{"hongbao_build_info": true}}
	cfg := defaultConfig("docs")
	p, err := newPipeline(&cfg, "", nil, slog.New(slog.DiscardHandler), described)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.close.Close(); err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, found := range regexp.MustCompile("(?m)^\\| `(hongbao_\\w+)`").FindAllStringSubmatch(readDocs(t)["docs/operating.md"], -1) {
		listed[found[1]] = true
		if !described.names[found[1]] {
			t.Errorf("docs/operating.md: no metric is named %s", found[1])
		}
	}
	for name := range described.names {
		if !listed[name] {
			t.Errorf("docs/operating.md does not list %s", name)
		}
	}
}

// describing notes the names of what is registered; a metric with labels is gathered only once it has some.
type describing struct {
	*prometheus.Registry
	names map[string]bool
}

var metricName = regexp.MustCompile(`fqName: "(\w+)"`)

func (d *describing) note(c prometheus.Collector) {
	all := make(chan *prometheus.Desc, 64)
	c.Describe(all)
	close(all)
	for desc := range all {
		d.names[metricName.FindStringSubmatch(desc.String())[1]] = true
	}
}

// Register is prometheus.Registerer's.
func (d *describing) Register(c prometheus.Collector) error {
	d.note(c)
	return d.Registry.Register(c)
}

// MustRegister is prometheus.Registerer's.
func (d *describing) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		d.note(c)
	}
	d.Registry.MustRegister(all...)
}

// TestDocsReasons: every reason of an event or letter is explained to producers, every other one to subscribers.
func TestDocsReasons(t *testing.T) {
	t.Parallel()
	pages := readDocs(t)
	for n, long := range pb.Reason_name {
		page := "docs/producing.md"
		if n >= int32(pb.Reason_REASON_OUT_OF_STOCK) {
			page = "docs/results.md"
		}
		if name := reasonName(schemas.Reason(n)); name != "" && !strings.Contains(pages[page], name) {
			t.Errorf("%s does not explain %s", page, long)
		}
	}
}

// TestDocsNamesExist: the files, links, tests and variables that pages name are there.
func TestDocsNamesExist(t *testing.T) {
	t.Parallel()
	tests := testNames(t)
	env := map[string]bool{}
	for _, s := range settings() {
		env[s.env] = true
	}
	path := regexp.MustCompile("`((?:[a-z]+/)+[\\w.*-]*)`")
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	test := regexp.MustCompile("`(Test\\w+)`")
	variable := regexp.MustCompile(`\bHONGBAO_[A-Z_]+\b`)
	for name, page := range readDocs(t) {
		for _, found := range path.FindAllStringSubmatch(page, -1) {
			in := func(room string) bool { return exists(t, room+found[1]) }
			if !slices.ContainsFunc([]string{"", "schemas/", "fsm/", "internal/admission/"}, in) && !strings.HasPrefix(found[1], "application/") {
				t.Errorf("%s: there is no %s", name, found[1])
			}
		}
		for _, found := range link.FindAllStringSubmatch(page, -1) {
			if !exists(t, filepath.Join(filepath.Dir(name), found[1])) {
				t.Errorf("%s: the link %s leads nowhere", name, found[1])
			}
		}
		for _, found := range test.FindAllStringSubmatch(page, -1) {
			if !tests[found[1]] {
				t.Errorf("%s: there is no test %s", name, found[1])
			}
		}
		for _, found := range variable.FindAllString(page, -1) {
			if !env[found] {
				t.Errorf("%s: no setting has the variable %s", name, found)
			}
		}
	}
}

func exists(t *testing.T, pattern string) bool {
	t.Helper()
	found, err := filepath.Glob(root + pattern)
	return err == nil && len(found) > 0
}

func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root {
			return fs.SkipDir // .local is a running broker's too: its files come and go
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		for _, found := range declared.FindAllStringSubmatch(readFile(t, path), -1) {
			names[found[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestFileMap: the files that ARCHITECTURE.md lists in a room's table are there, and none of the room's is missing.
func TestFileMap(t *testing.T) {
	t.Parallel()
	sections := strings.Split(readFile(t, root+"ARCHITECTURE.md"), "\n### ")
	rooms := 0
	for _, section := range sections[1:] {
		room, _, _ := strings.Cut(section, "/")
		files, err := filepath.Glob(root + room + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		if room == "cmd" || room == "internal" {
			continue
		}
		rooms++
		table, _, _ := strings.Cut(section, "\n## ")
		listed := map[string]bool{}
		for _, found := range regexp.MustCompile("`([\\w*]+\\.go)`").FindAllStringSubmatch(table, -1) {
			matches, err := filepath.Glob(root + room + "/" + found[1])
			if err != nil || len(matches) == 0 {
				t.Errorf("ARCHITECTURE.md: %s has no %s", room, found[1])
			}
			for _, m := range matches {
				listed[filepath.Base(m)] = true
			}
		}
		for _, file := range files {
			if base := filepath.Base(file); !strings.HasSuffix(base, "_test.go") && !listed[base] {
				t.Errorf("ARCHITECTURE.md: the table of %s does not have %s", room, base)
			}
		}
	}
	if rooms != 5 {
		t.Errorf("%d rooms with a table, want 5", rooms)
	}
}

// TestExampleCampaign: the example is a campaign, and the page shows it as it is.
func TestExampleCampaign(t *testing.T) {
	t.Parallel()
	text := readFile(t, root+"examples/campaign.yaml")
	if _, err := schemas.ParseCampaign("examples/campaign.yaml", []byte(text)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(readDocs(t)["docs/campaigns.md"], "```yaml\n"+text+"```") {
		t.Error("docs/campaigns.md shows another file than examples/campaign.yaml")
	}
}
