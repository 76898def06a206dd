package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/interpreter"
)

const (
	// costLimit ends an evaluation after this many units of CEL's cost, about
	// one per operation: a long rule costs some dozens, and the limit is
	// reached within a millisecond or two.
	costLimit = 10_000
	// maxExpression is the longest expression, in characters.
	maxExpression = 4096
	// syntaxError begins every message of the parser.
	syntaxError = "Syntax error"
)

// newEnv declares the facts over CEL's standard functions. Whole numbers and
// fractions do not mix, in lists neither.
func newEnv() (*cel.Env, error) {
	opts := []cel.EnvOption{
		cel.CrossTypeNumericComparisons(false),
		cel.ExtendedValidations(),
		cel.ParserExpressionSizeLimit(maxExpression),
	}
	for _, f := range FactList() {
		t := map[string]*cel.Type{"string": cel.StringType, "int": cel.IntType, "bool": cel.BoolType}[f.Type]
		opts = append(opts, cel.Variable(f.Name, t))
	}
	return cel.NewEnv(opts...)
}

// compileExpression returns the program of a rule, nil for an empty
// expression.
func compileExpression(env *cel.Env, rule Rule, number int) (cel.Program, error) {
	if strings.TrimSpace(rule.When) == "" {
		return nil, nil //nolint:nilnil // Nothing to run and nothing wrong.
	}
	wrong := func(column int, message, allowed string) error {
		return &RuleError{Rule: number, Line: rule.Line, Field: "when", Column: column, Message: message, Allowed: allowed}
	}
	ast, issues := env.Compile(rule.When)
	if issues.Err() != nil {
		return nil, mistakes(env, issues, wrong)
	}
	if !ast.OutputType().IsExactType(cel.BoolType) {
		return nil, wrong(1, fmt.Sprintf("the expression is of type %s", cel.FormatCELType(ast.OutputType())),
			"an expression that is true or false, such as amount > 10000")
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(costLimit))
	if err != nil {
		return nil, wrong(1, "the expression cannot be run: "+oneLine(err.Error()), "")
	}
	return program, nil
}

// mistakes turns what CEL found into rule errors, each once. Of syntax errors
// only the first is told: the parser makes the others up while it recovers.
func mistakes(env *cel.Env, issues *cel.Issues, wrong func(column int, message, allowed string) error) error {
	var errs []error
	seen := map[string]bool{}
	for _, issue := range issues.Errors() {
		if strings.HasPrefix(issue.Message, syntaxError) && len(errs) > 0 {
			continue
		}
		message, allowed := explain(env, issue.Message)
		if line := issue.Location.Line(); line > 1 {
			message = fmt.Sprintf("in line %d of the expression: %s", line, message)
		}
		err := wrong(max(issue.Location.Column()+1, 1), message, allowed)
		if !seen[err.Error()] {
			seen[err.Error()] = true
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// explain rewrites a message of CEL for the author of a rule, and says what is
// allowed there.
func explain(env *cel.Env, message string) (text, allowed string) {
	message = oneLine(message)
	if name, ok := quoted(message, "undeclared reference to '"); ok {
		known := append(factNames(), callableFunctions(env)...)
		return fmt.Sprintf("%q is not known", name) + didYouMean(name, known), "the facts " + allowedFacts()
	}
	if name, ok := quoted(message, "found no matching overload for '"); ok {
		return explainOverload(message, name)
	}
	if strings.HasPrefix(message, syntaxError) {
		message, _, _ = strings.Cut(message, " expecting ")
		return strings.ToLower(message[:1]) + message[1:],
			`comparisons (==, !=, <, <=, >, >=, in) joined by && and ||, negated by !, such as unit == "credits" && amount <= 500`
	}
	return message, ""
}

// explainOverload speaks of an operator or function and the types that it was
// given: "found no matching overload for '_>_' applied to '(int, double)'".
func explainOverload(message, function string) (text, allowed string) {
	symbol := function
	if s, ok := operators.FindReverse(function); ok && s != "" {
		symbol = s
	}
	given, _ := quoted(message, "applied to '")
	text = fmt.Sprintf("%s cannot be applied to %s", symbol, given)
	switch {
	case strings.Contains(given, "int") && strings.Contains(given, "double"):
		return text, "whole numbers only: fractions never mix with them (write 5000, not 5000.0); the facts are " + allowedFacts()
	case strings.Contains(given, "int") && strings.Contains(given, "string"):
		return text, "both sides of one type: text in quotes, numbers without; the facts are " + allowedFacts()
	}
	return text, "the facts " + allowedFacts()
}

// callableFunctions returns the named functions of the language, without its
// operators.
func callableFunctions(env *cel.Env) []string {
	var names []string
	for name := range env.Functions() {
		if !strings.ContainsAny(name, "_@!-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// evaluationWords says why an evaluation ended without an answer. It never
// repeats CEL's own text, which may quote a fact's value.
func evaluationWords(err error) string {
	if cancelled, ok := errors.AsType[interpreter.EvalCancelledError](err); ok && cancelled.Cause == interpreter.CostLimitExceeded {
		return "it costs more than a rule may"
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "no such attribute"):
		return "FirstPromoter does not tell a fact that it looks at"
	case strings.Contains(text, "overflow"):
		return "a number became too large"
	case strings.Contains(text, "division by zero"), strings.Contains(text, "divide by zero"), strings.Contains(text, "modulus by zero"):
		return "it divides by zero"
	case strings.Contains(text, "strconv."), strings.Contains(text, "conversion"):
		return "a text in it is not what it should be converted to"
	}
	return "it has no answer for this reward"
}

// quoted returns what stands between prefix and the next single quote.
func quoted(message, prefix string) (string, bool) {
	_, rest, found := strings.Cut(message, prefix)
	if !found {
		return "", false
	}
	name, _, found := strings.Cut(rest, "'")
	return name, found
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
