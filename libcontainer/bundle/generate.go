//go:build ignore

// Generate writes document_easyjson.go: what easyjson generates for the type
// document, without the encoders. Nobody calls them, and they are what imports
// package easyjson, which imports net/http, whose initialisation costs every
// command more than the decoding does.
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

const output = "document_easyjson.go"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	cmd := exec.Command("go", "tool", "easyjson", "-all", "-no_std_marshalers", "-output_filename", output, "document.go")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run easyjson: %w", err)
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, output, nil, parser.ParseComments)
	if err != nil {
		return fmt.Errorf("parse %s: %w", output, err)
	}
	var dropped []ast.Decl
	file.Decls = slices.DeleteFunc(file.Decls, func(d ast.Decl) bool {
		drop := encoder(d) || placeholders(d)
		if drop {
			dropped = append(dropped, d)
		}
		return drop
	})
	file.Comments = slices.DeleteFunc(file.Comments, func(c *ast.CommentGroup) bool {
		return slices.ContainsFunc(dropped, func(d ast.Decl) bool {
			f, ok := d.(*ast.FuncDecl)
			return c.Pos() >= d.Pos() && c.End() <= d.End() || ok && f.Doc == c || !ok && c.End() < d.Pos() && c.Pos() > file.Package
		})
	})
	dropImports(file)
	var out bytes.Buffer
	if err := format.Node(&out, fset, file); err != nil {
		return fmt.Errorf("format %s: %w", output, err)
	}
	text := bytes.Replace(out.Bytes(), []byte("\n\n"), []byte("\n\n//lint:file-ignore SA1019 deprecated properties are still sent\n\n"), 1)
	return os.WriteFile(output, text, 0o644)
}

func encoder(d ast.Decl) bool {
	f, ok := d.(*ast.FuncDecl)
	return ok && (strings.Contains(f.Name.Name, "Encode") || strings.HasPrefix(f.Name.Name, "Marshal"))
}

// placeholders are the variables that keep unused imports from being errors.
func placeholders(d ast.Decl) bool {
	g, ok := d.(*ast.GenDecl)
	return ok && g.Tok == token.VAR
}

// dropImports removes the imports that nothing uses any more.
func dropImports(file *ast.File) {
	used := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok {
				used[x.Name] = true
			}
		}
		return true
	})
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.IMPORT {
			continue
		}
		g.Specs = slices.DeleteFunc(g.Specs, func(s ast.Spec) bool {
			i := s.(*ast.ImportSpec)
			path, _ := strconv.Unquote(i.Path.Value)
			name := path[strings.LastIndexByte(path, '/')+1:]
			if i.Name != nil {
				name = i.Name.Name
			}
			return !used[name]
		})
	}
}
