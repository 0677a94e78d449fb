package schemas

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// yamlFile reads a YAML (or JSON) file of rules strictly and remembers the first thing that is
// wrong with it, as a sentence that names file, line, key, value and rule. Readers go on after
// that with zero values, and look at err once, at the end.
type yamlFile struct {
	name   string
	secret bool // values and the parser's messages are not shown
	err    error
}

// yamlSection is one mapping of the file.
type yamlSection struct {
	file  *yamlFile
	path  string // of the mapping, with its dot: "coupons.five_off."
	line  int
	names []string // keys in the order of the file
	nodes map[string]ast.Node
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

// parseYAML keeps the parser's panics from its callers: the text may come over hongbao.control, and
// no text may stop a partition.
func parseYAML(text []byte) (file *ast.File, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			file, err = nil, fmt.Errorf("the YAML parser gave up: %v", cause)
		}
	}()
	return parser.ParseBytes(text, 0)
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

// section reads node as a mapping with text keys, each once.
func (f *yamlFile) section(path string, node ast.Node) yamlSection {
	s := yamlSection{file: f, path: path, line: yamlLine(node), nodes: make(map[string]ast.Node)}
	mapping, ok := node.(*ast.MappingNode)
	if !ok {
		f.refuse(s.line, "%s is %s; want a mapping of keys to values", s.title(), f.show(node))
		return s
	}
	for _, pair := range mapping.Values {
		key, ok := pair.Key.(*ast.StringNode)
		if !ok {
			f.refuse(yamlLine(pair.Key), "the key %s%s is no text; quote it or rename it", path, f.show(pair.Key))
			return s
		}
		if _, twice := s.nodes[key.Value]; twice {
			f.refuse(yamlLine(pair.Key), "the key %s%s is given twice", path, key.Value)
		}
		s.names = append(s.names, key.Value)
		s.nodes[key.Value] = pair.Value
	}
	return s
}

// title is how sentences name the mapping.
func (s *yamlSection) title() string {
	if s.path == "" {
		return "the file"
	}
	return strings.TrimSuffix(s.path, ".")
}

// only refuses every key but these.
func (s *yamlSection) only(allowed ...string) {
	for _, name := range s.names {
		if !slices.Contains(allowed, name) {
			s.file.refuse(yamlLine(s.nodes[name]), "the key %s%s is unknown; known are %s", s.path, name, strings.Join(allowed, ", "))
		}
	}
}

func (s *yamlSection) has(key string) bool { return s.nodes[key] != nil }

// node is the value of a key that must be there.
func (s *yamlSection) node(key string) ast.Node {
	node := s.nodes[key]
	if node == nil {
		s.file.refuse(s.line, "the key %s%s is missing", s.path, key)
	}
	return node
}

// refuse says what is wrong with the value of key.
func (s *yamlSection) refuse(key, rule string, args ...any) {
	node := s.nodes[key]
	s.file.refuse(yamlLine(node), "%s%s is %s; %s", s.path, key, s.file.show(node), fmt.Sprintf(rule, args...))
}

// text reads a text.
func (s *yamlSection) text(key string) string {
	node := s.node(key)
	text, ok := node.(*ast.StringNode)
	if !ok {
		if node != nil {
			s.refuse(key, "want text")
		}
		return ""
	}
	return text.Value
}

// integer reads a whole number in least..most, in plain decimal digits: YAML would also take
// 0o17, 0x1F and 1_000, and then a file and its reader may mean different numbers.
func (s *yamlSection) integer(key string, least, most int64) int64 {
	node := s.node(key)
	if node == nil {
		return 0
	}
	if number, ok := node.(*ast.IntegerNode); ok {
		digits := number.Token.Value
		v, err := strconv.ParseInt(digits, 10, 64)
		if err == nil && strconv.FormatInt(v, 10) == digits && v >= least && v <= most {
			return v
		}
	}
	if most == math.MaxInt64 {
		s.refuse(key, "want an integer of at least %d, in decimal digits", least)
	} else {
		s.refuse(key, "want an integer %d..%d, in decimal digits", least, most)
	}
	return 0
}

// flag reads true or false, false when the key is not there.
func (s *yamlSection) flag(key string) bool {
	if !s.has(key) {
		return false
	}
	flag, ok := s.nodes[key].(*ast.BoolNode)
	if !ok {
		s.refuse(key, "want true or false")
		return false
	}
	return flag.Value
}

// section reads a mapping.
func (s *yamlSection) section(key string) yamlSection {
	node := s.node(key)
	if node == nil {
		return yamlSection{file: s.file, path: s.path + key + ".", line: s.line}
	}
	return s.file.section(s.path+key+".", node)
}

// list reads a list of mappings.
func (s *yamlSection) list(key string) (items []yamlSection) {
	node := s.node(key)
	if node == nil {
		return nil
	}
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		s.refuse(key, "want a list")
		return nil
	}
	for i, item := range list.Values {
		items = append(items, s.file.section(fmt.Sprintf("%s%s[%d].", s.path, key, i), item))
	}
	return items
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
