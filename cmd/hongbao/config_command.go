package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// settingAnswer is one element of what `config --json` prints.
type settingAnswer struct {
	Key    string `json:"key"`
	Value  string `json:"value"`  // "***" for a secret that is set
	Source string `json:"source"` // default, or how the source that has the last word calls it
}

func newConfigCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print every setting, its value and where it comes from",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			all := a.settings()
			return a.answer(all, func(w io.Writer) {
				for _, s := range all {
					fmt.Fprintf(w, "%-24s %-24s %s\n", s.Key, s.Value, s.Source)
				}
			})
		},
	}
	for _, s := range settings() {
		if !s.secret && !s.every {
			s.addFlag(cmd.Flags())
		}
	}
	return cmd
}

func (a *app) settings() []settingAnswer {
	all := []settingAnswer{}
	for _, s := range settings() {
		value := s.text(&a.cfg)
		if value != "" && (s.secret || s.flag == "code-keys" && isKeyText(value)) {
			value = "***"
		}
		all = append(all, settingAnswer{Key: s.key, Value: value, Source: a.source(s.key)})
	}
	return all
}
