package main

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

const envPrefix = "HONGBAO_"

// setting is one field of Config under its three names (invariant 2).
type setting struct {
	key    string // of the file: share_limit.count
	env    string // HONGBAO_SHARE_LIMIT_COUNT
	flag   string // share-limit-count
	help   string
	secret bool
	every  bool  // every command has the flag
	hidden bool  // ... but its help does not list it
	index  []int // the field's path in Config
	kind   reflect.Type
}

// settings are the fields of Config, nested ones under their parent's key.
func settings() []setting { return settingsOf(reflect.TypeFor[Config](), "", nil) }

func settingsOf(t reflect.Type, parent string, path []int) []setting {
	var all []setting
	for i := range t.NumField() {
		field := t.Field(i)
		key, index := parent+field.Tag.Get("koanf"), append(slices.Clone(path), i)
		if field.Type.Kind() == reflect.Struct {
			all = append(all, settingsOf(field.Type, key+".", index)...)
			continue
		}
		flag := strings.NewReplacer("_", "-", ".", "-").Replace(key)
		all = append(all, setting{
			key:    key,
			env:    envName(flag),
			flag:   flag,
			help:   field.Tag.Get("help"),
			secret: field.Tag.Get("secret") == "true",
			every:  field.Tag.Get("flag") != "",
			hidden: field.Tag.Get("flag") == "hidden",
			index:  index,
			kind:   field.Type,
		})
	}
	return all
}

// envName is the variable that stands for a flag.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// assign puts what a file, the environment or a flag says into the setting's field.
// Its error is the end of a sentence that begins with the setting.
func (s setting) assign(c *Config, value any) error {
	field := reflect.ValueOf(c).Elem().FieldByIndex(s.index)
	if s.kind.Kind() == reflect.Slice {
		list, err := parseList(value)
		if err != nil {
			return err
		}
		field.Set(reflect.ValueOf(list))
		return nil
	}
	switch value.(type) {
	case string, bool, int, int64, uint64, float64:
	default:
		return fmt.Errorf("is not a single value")
	}
	text := fmt.Sprint(value)
	switch field.Interface().(type) {
	case string:
		field.SetString(text)
	case bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is not true or false", text)
		}
		field.SetBool(b)
	case int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		field.SetInt(int64(n))
	case time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration with its unit, such as 500ms or 1h", text)
		}
		field.SetInt(int64(d))
	default:
		panic("setting " + s.key + " has a type that assign does not know")
	}
	return nil
}

// parseList reads a list of a file, or one text with commas.
func parseList(value any) ([]string, error) {
	var list []string
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			text, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf("has an entry, %v, that is not text", item)
			}
			list = append(list, text)
		}
	case string:
		for item := range strings.SplitSeq(v, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
	default:
		return nil, fmt.Errorf("is not a list")
	}
	return list, nil
}

// text shows the setting's value in c as a flag would be given.
func (s setting) text(c *Config) string {
	switch v := reflect.ValueOf(c).Elem().FieldByIndex(s.index).Interface().(type) {
	case []string:
		return strings.Join(v, ",")
	default:
		return fmt.Sprint(v)
	}
}
