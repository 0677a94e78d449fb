package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// addFlags adds to a command the flags of the settings named. A secret has no flag (invariant 3),
// and a name that is no setting is a mistake in the program.
func addFlags(flags *pflag.FlagSet, names ...string) {
	all := settings()
	for _, name := range names {
		i := slices.IndexFunc(all, func(s setting) bool { return s.flag == name && !s.secret })
		if i < 0 {
			panic("no setting has the flag --" + name)
		}
		all[i].addFlag(flags)
	}
}

// addFlagsOfEvery adds the flags that every command has.
func addFlagsOfEvery(flags *pflag.FlagSet) {
	for _, s := range settings() {
		if s.every && !s.secret {
			s.addFlag(flags).Hidden = s.hidden
		}
	}
}

func (s setting) addFlag(flags *pflag.FlagSet) *pflag.Flag {
	defaults := defaultConfig("")
	flag := flags.VarPF(&rawFlag{text: s.text(&defaults), kind: s.kind}, s.flag, "", s.help)
	if s.kind.Kind() == reflect.Bool {
		flag.NoOptDefVal = "true"
	}
	return flag
}

// newSettingsTopic is the page that `hongbao help settings` prints.
func newSettingsTopic() *cobra.Command {
	var page strings.Builder
	page.WriteString(`Every setting can be given in three ways: as a flag (--kafka-tls-ca), as a variable of the
environment (HONGBAO_KAFKA_TLS_CA), as a key of the YAML file that --config names (kafka_tls_ca).
A flag beats the environment, the environment beats the file, the file beats the default.
A key with a dot is nested in the file: share_limit.count is count below share_limit.
Secrets come from the environment alone. HONGBAO_CODE_KEYS may hold a path or the keys themselves.

`)
	defaults := defaultConfig("")
	for _, s := range settings() {
		name := s.key
		if s.secret {
			name = s.env
		}
		fmt.Fprintf(&page, "  %-24s %s", name, s.help)
		if text := s.text(&defaults); text != "" && text != "false" {
			fmt.Fprintf(&page, " (default %s)", text)
		}
		page.WriteByte('\n')
	}
	return &cobra.Command{Use: "settings", Short: "All settings: keys of the file, flags, environment", Long: page.String()}
}

// rawFlag keeps what was typed: assign reads it, as it reads the file and the environment,
// so that all three are refused in the same words.
type rawFlag struct {
	text string
	kind reflect.Type
	set  bool
}

// String is part of pflag.Value.
func (f *rawFlag) String() string { return f.text }

// Set is part of pflag.Value. A list flag that is repeated grows.
func (f *rawFlag) Set(text string) error {
	if f.set && f.kind.Kind() == reflect.Slice {
		text = f.text + "," + text
	}
	f.text, f.set = text, true
	return nil
}

// Type is part of pflag.Value; pflag shows it in the help text.
func (f *rawFlag) Type() string {
	if f.kind.Kind() == reflect.Slice {
		return "list"
	}
	return strings.ToLower(f.kind.Name())
}
