package schemas

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// yamlSection is one mapping of the file.
type yamlSection struct {
	file  *yamlFile
	path  string // of the mapping, with its dot: "coupons.five_off."
	line  int
	names []string // keys in the order of the file
	nodes map[string]ast.Node
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
