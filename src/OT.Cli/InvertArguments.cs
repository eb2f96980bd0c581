using System.CommandLine;
using OT.Problems;

namespace OT.Cli;

/// <summary>The arguments of <c>ot invert</c>; what it shares with the other commands is theirs.</summary>
sealed class InvertArguments
{
    /// <summary>Options of the other commands.</summary>
    public readonly TransportArguments Shared = new();

    public readonly Argument<string?> Source = new("SOURCE")
    {
        Arity = ArgumentArity.ZeroOrOne,
        Description = "Source points, one a row; without --plan, row k is matched with row k of TARGET.",
    };
    public readonly Argument<string?> Target = new("TARGET") { Arity = ArgumentArity.ZeroOrOne, Description = "Target points." };
    public readonly Option<string?> Plan = TransportArguments.Text(
        "--plan",
        "FILE",
        "The observed coupling: .csv triples row,column,mass from 0, .npy dense, .npz compressed rows. Its total is scaled to 1."
    );
    public readonly Option<string?> Terms = TransportArguments.Text(
        "--terms",
        "NAME",
        "bilinear (default): x_a y_b for all coordinates; squares: (x_k - y_k)^2."
    );
    public readonly Option<string[]> Term = new("--term")
    {
        HelpName = "FILE",
        Description = "A term as a cost matrix, once for each, in place of SOURCE and TARGET; with --plan.",
        AllowMultipleArgumentsPerToken = true,
    };
    public readonly Option<string?> FixedCost = TransportArguments.Text(
        "--fixed-cost",
        "FILE",
        "A cost matrix that is known and added; inf forbids a pair."
    );
    public readonly Option<string?> Lambda = TransportArguments.Text(
        "--lambda",
        "V",
        "Strength of the penalty, 0 or more; 0 when left out."
    );
    public readonly Option<long?> Folds = TransportArguments.Whole(
        "--folds",
        "K",
        2,
        1000,
        "Chooses lambda by the loss of held-out pairs, in K parts, from 30 values; in place of --lambda."
    );
    public readonly Option<long?> Seed = TransportArguments.Whole(
        "--seed",
        "N",
        0,
        long.MaxValue,
        "Seed of the parts of --folds; 0 when left out."
    );
    public readonly Option<string?> Penalty = TransportArguments.Text(
        "--penalty",
        "NAME",
        "l1 (default), group (with --groups) or nuclear."
    );
    public readonly Option<string?> Groups = TransportArguments.Text(
        "--groups",
        "FILE",
        "The group of each term: whole numbers, one row or column."
    );
    public readonly Option<string?> PenaltyWeights = TransportArguments.Text(
        "--penalty-weights",
        "FILE",
        "Weight of each term in the l1 penalty, one row or column; 0 leaves a term free."
    );
    public readonly Option<string?> Constraint = TransportArguments.Text(
        "--constraint",
        "NAME",
        "none (default), nonnegative, symmetric, semidefinite or diagonal."
    );
    public readonly Option<string?> Convention = TransportArguments.Text(
        "--convention",
        "NAME",
        "cost (default): min <c,P> + eps KL; surplus: max <c,P> - (eps/2) KL, whose parameter has the other sign."
    );
    public readonly Option<string?> Theta = TransportArguments.Text(
        "--theta",
        "FILE",
        "Where the parameter goes: .csv or .npy, a matrix for bilinear terms, else one column."
    );

    public Command Command()
    {
        Shared.Epsilon.Description = "Epsilon, in which the parameter is measured; 1 when left out.";
        Shared.Tolerance.Description =
            "Residual of the optimality conditions, each term in units of its standard deviation; 1e-6 when left out.";
        Shared.MaxIterations.Description = "Outer steps at most; 1000 when left out.";
        return new Command("invert", "The cost behind an observed coupling: sparse or of low rank in known terms.")
        {
            Source,
            Target,
            Plan,
            Terms,
            Term,
            FixedCost,
            Shared.Epsilon,
            Lambda,
            Folds,
            Seed,
            Penalty,
            Groups,
            PenaltyWeights,
            Constraint,
            Convention,
            Theta,
            Shared.Tolerance,
            Shared.MaxIterations,
            Shared.TimeLimit,
            Shared.Backend,
            Shared.Threads,
            Shared.Memory,
            Shared.Json,
        };
    }

    public static ParameterConstraint ParseConstraint(string name) =>
        name switch
        {
            "none" => ParameterConstraint.None,
            "nonnegative" => ParameterConstraint.NonNegative,
            "symmetric" => ParameterConstraint.Symmetric,
            "semidefinite" => ParameterConstraint.PositiveSemidefinite,
            "diagonal" => ParameterConstraint.Diagonal,
            _ => throw new InputException(
                $"--constraint {name}: not known: there are none, nonnegative, symmetric, semidefinite, diagonal."
            ),
        };

    public static CostConvention ParseConvention(string name) =>
        name switch
        {
            "cost" => CostConvention.Cost,
            "surplus" => CostConvention.Surplus,
            _ => throw new InputException($"--convention {name}: not known: there are cost and surplus."),
        };
}
