package main

import (
	"flag"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

const about = `mesoc runs containers from OCI bundles: directories with a config.json and a
root filesystem. Anything that calls runc can call mesoc instead.

To run a container in the current directory's bundle:

    # mesoc run ID`

// parseWithApp is the parser that has words for everything: mistakes, help,
// the shell's completion.
func (c *call) parseWithApp(argv []string) error {
	return c.app().Run(append([]string{"mesoc"}, argv...))
}

// app is the command line as urfave/cli knows it. Its actions run nothing:
// they leave in c what is to be run.
func (c *call) app() *cli.App {
	app := &cli.App{
		Name:                 "mesoc",
		Usage:                "Open Container Initiative runtime",
		Description:          about,
		HideVersion:          true, // it is a flag of ours, with an output that engines read
		EnableBashCompletion: true,
		Writer:               c.stdout,
		ErrWriter:            c.stderr,
		ExitErrHandler:       func(*cli.Context, error) {}, // only main exits
		OnUsageError: func(ctx *cli.Context, err error, _ bool) error {
			fmt.Fprintf(c.stdout, "Incorrect Usage. %v\n\n", err)
			_ = cli.ShowAppHelp(ctx)
			return err
		},
		Action: func(ctx *cli.Context) error {
			switch {
			case c.globals.is("version"):
				c.command = &versionCommand
			case ctx.Args().Present():
				return fmt.Errorf("find command %q: no such command (mesoc help lists them)", ctx.Args().First())
			default:
				return cli.ShowAppHelp(ctx)
			}
			return nil
		},
	}
	for i := range settingTable {
		t := &settingTable[i]
		app.Flags = append(app.Flags, &appFlag{option: &t.option, group: t.group, byDefault: t.byDefault(), into: &c.globals})
	}
	for _, command := range commands() {
		app.Commands = append(app.Commands, c.appCommand(command))
	}
	return app
}

// appCommand is one command as urfave/cli knows it.
func (c *call) appCommand(command *command) *cli.Command {
	var missing error
	if command.missing != nil {
		missing = command.missing()
	}
	known := &cli.Command{
		Name:            command.name,
		Usage:           command.usage,
		ArgsUsage:       command.arguments,
		Description:     command.description,
		SkipFlagParsing: missing != nil,
		HideHelpCommand: true, // "help" can be a container's id
		BashComplete:    func(*cli.Context) { command.complete(c.stdout) },
		OnUsageError: func(ctx *cli.Context, err error, _ bool) error {
			c.command = command
			fmt.Fprintf(c.stdout, "Incorrect Usage: %v\n\n", err)
			_ = cli.ShowSubcommandHelp(ctx)
			return err
		},
		Action: func(ctx *cli.Context) error {
			c.command = command
			c.args = ctx.Args().Slice()
			if missing != nil {
				return fmt.Errorf("run command %s: %w", command.name, missing)
			}
			err := command.countArguments(c.args)
			if err != nil {
				fmt.Fprint(c.stdout, "Incorrect Usage.\n\n")
				_ = cli.ShowSubcommandHelp(ctx)
			}
			return err
		},
	}
	for _, group := range command.options {
		for i := range group {
			known.Flags = append(known.Flags, &appFlag{option: &group[i], into: &c.flags})
		}
	}
	return known
}

// complete prints what a flag of the command can be, for the shell.
func (c *command) complete(w io.Writer) {
	for _, group := range c.options {
		for i := range group {
			if !group[i].unbuilt {
				fmt.Fprintln(w, "--"+group[i].name)
			}
		}
	}
}

// appFlag is an option as urfave/cli knows it. Names returns one name only:
// urfave/cli refuses a line that uses two spellings of one flag.
type appFlag struct {
	*option
	group     string
	byDefault string
	into      *given
}

var (
	_ cli.Flag              = (*appFlag)(nil)
	_ cli.CategorizableFlag = (*appFlag)(nil)
)

func (f *appFlag) Names() []string     { return []string{f.name} }
func (f *appFlag) IsSet() bool         { _, ok := f.into.last(f.name); return ok }
func (f *appFlag) IsVisible() bool     { return !f.unbuilt }
func (f *appFlag) GetCategory() string { return f.group }

// Apply makes the flag known to package flag, which does the parsing.
func (f *appFlag) Apply(set *flag.FlagSet) error {
	set.Var(&appValue{f}, f.name, f.usage)
	if f.alias != "" {
		set.Var(&appValue{f}, f.alias, f.usage)
	}
	return nil
}

// String is the line of the help.
func (f *appFlag) String() string {
	line := f.spellings("", "") + "\t" + f.usage
	if f.byDefault != "" {
		line += " (default: " + f.byDefault + ")"
	}
	return line
}

// appValue notes what package flag reads, in the order of the command line.
type appValue struct{ flag *appFlag }

func (v *appValue) String() string { return "" }

// IsBoolFlag lets a flag stand without a value.
func (v *appValue) IsBoolFlag() bool { return v.flag.kind == boolean }

func (v *appValue) Set(value string) error {
	if err := v.flag.check(value); err != nil {
		return err
	}
	*v.flag.into = append(*v.flag.into, assignment{v.flag.name, value})
	return nil
}
