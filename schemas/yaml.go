package schemas

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// yamlFile reads a YAML (or JSON) file of rules strictly and remembers the first thing that is
// wrong with it, as a sentence that names file, line, key, value and rule. Readers go on after
// that with zero values, and look at err once, at the end.
type yamlFile struct {
	name   string
	secret bool // values and the parser's messages are not shown
	err    error
}

// refuse keeps the first refusal.
func (f *yamlFile) refuse(line int, format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf("%s:%d: "+format, append([]any{f.name, line}, args...)...)
	}
}

// root parses text, which holds one document: a mapping.
func (f *yamlFile) root(text []byte, limit int) (root yamlSection) {
	root = yamlSection{file: f, line: 1}
	switch {
	case len(text) > limit:
		f.refuse(1, "the file has %d bytes; it may have at most %d", len(text), limit)
		return root
	case !utf8.Valid(text):
		f.refuse(1, "the file is no UTF-8")
		return root
	}
	doc, err := parseYAML(text)
	if err != nil {
		f.refuse(yamlPosition(err), "%s", f.syntax(err))
		return root
	}
	if len(doc.Docs) != 1 {
		f.refuse(1, "the file holds %d YAML documents; want one, a mapping", len(doc.Docs))
		return root
	}
	if doc.Docs[0].Body == nil {
		f.refuse(1, "the file is empty; want a mapping of keys to values")
		return root
	}
	return f.section("", doc.Docs[0].Body)
}

// parseYAML keeps the parser's panics and its worst time from its callers: the text may come over
// hongbao.control, and no text may stop a partition. 64 KiB of "[" take the parser 50 s, since it
// names each node by a path as long as the node is deep; the lexer's time is linear.
func parseYAML(text []byte) (file *ast.File, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			file, err = nil, fmt.Errorf("the YAML parser gave up: %v", cause)
		}
	}()
	tokens := lexer.Tokenize(string(text))
	if line := tooDeep(tokens); line > 0 {
		return nil, fmt.Errorf("line %d nests more than %d levels deep", line, maxYAMLDepth)
	}
	return parser.Parse(tokens, 0)
}

// maxYAMLDepth bounds what can be nested at little cost in text: brackets anywhere, and list
// entries and keys on one line. Indentation costs a space for each level of each line.
const maxYAMLDepth = 16

// tooDeep is the first line that nests too deep, 0 when none does.
func tooDeep(tokens token.Tokens) int {
	brackets, entries, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			entries, line = 0, t.Position.Line
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets = max(0, brackets-1)
		case token.SequenceEntryType, token.MappingKeyType:
			entries++
		}
		if brackets+entries > maxYAMLDepth {
			return line
		}
	}
	return 0
}

func (f *yamlFile) syntax(err error) string {
	var syntax yaml.Error
	switch {
	case f.secret:
		return "this is no YAML"
	case errors.As(err, &syntax):
		return "this is no YAML: " + syntax.GetMessage()
	}
	return "this is no YAML: " + err.Error()
}

func yamlPosition(err error) int {
	var syntax yaml.Error
	if errors.As(err, &syntax) && syntax.GetToken() != nil {
		return syntax.GetToken().Position.Line
	}
	return 1
}

// show is a value for a sentence.
func (f *yamlFile) show(node ast.Node) string {
	switch node := node.(type) {
	case *ast.MappingNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode, nil:
		return "empty"
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		return "an anchor, alias or tag, which these files do without"
	default:
		if f.secret {
			return "a value (not shown)"
		}
		return quoteString(node.GetToken().Value)
	}
}

func yamlLine(node ast.Node) int {
	if node == nil || node.GetToken() == nil || node.GetToken().Position == nil {
		return 1
	}
	return node.GetToken().Position.Line
}
