using System.CommandLine;
using System.Globalization;
using OT.Pairwise;
using OT.Problems;
using OT.Solvers.Exact;

namespace OT.Cli;

/// <summary>The arguments of <c>ot pairwise</c>; what it shares with the other commands is theirs.</summary>
sealed class PairwiseArguments
{
    public const string Methods = "wasserstein, cost, entropic, entropic-cost, divergence, sliced";

    /// <summary>Options of the other commands.</summary>
    public readonly TransportArguments Shared = new();

    public readonly Argument<string[]> Files = new("FILE")
    {
        Arity = ArgumentArity.ZeroOrMore,
        Description = "Points of one measure each, one a row; with --merge, journals.",
    };
    public readonly Option<string?> List = TransportArguments.Text(
        "--list",
        "FILE",
        "A text file with one FILE a line, beside it or absolute."
    );
    public readonly Option<string?> Histograms = TransportArguments.Text(
        "--histograms",
        "FILE",
        "One histogram a row, over the bins of --cost-matrix or --bins."
    );
    public readonly Option<string?> Against = TransportArguments.Text(
        "--against",
        "FILE",
        "The measures of the columns, as a --list or, with --histograms, as histograms; the rows themselves when left out."
    );
    public readonly Option<string?> Bins = TransportArguments.Text("--bins", "FILE", "The points of the bins, one a row.");
    public readonly Option<string?> CostMatrix = TransportArguments.Text(
        "--cost-matrix",
        "FILE",
        "Costs between the bins; distances for --method wasserstein. inf forbids a pair."
    );
    public readonly Option<string?> Method = TransportArguments.Text(
        "--method",
        "NAME",
        "wasserstein: W_p, its root taken; cost: <C,P>, exact; entropic: the value with entropy; entropic-cost: <C,P> of the entropic plan; divergence; sliced."
    );
    public readonly Option<long?> Projections = TransportArguments.Whole(
        "--projections",
        "N",
        1,
        1_000_000,
        "Directions of --method sliced; 100 when left out."
    );
    public readonly Option<long?> Seed = TransportArguments.Whole(
        "--seed",
        "N",
        0,
        long.MaxValue,
        "Seed of the directions; 0 when left out."
    );
    public readonly Option<string?> Output = TransportArguments.Text(
        "--output",
        "FILE",
        "The matrix: .csv, .npy, or .npz with values, errors and status."
    );
    public readonly Option<bool> Resume = new("--resume")
    {
        Description = "Goes on from the journal of a run that ended early, if there is one.",
    };
    public readonly Option<string?> Part = TransportArguments.Text(
        "--part",
        "k/K",
        "Computes the k-th of K shares into a journal of its own, for --merge."
    );
    public readonly Option<bool> Merge = new("--merge") { Description = "Joins journals, given as FILE, into --output." };

    public PairwiseArguments() =>
        Shared.Backend.Description =
            "Where entropic pairs run: a name that 'ot backends' lists, neither auto nor mpi; managed code, many pairs at a time, when left out.";

    public Command Command() =>
        new("pairwise", "The matrix of distances between many measures; a run that was interrupted can be resumed.")
        {
            Files,
            List,
            Histograms,
            Against,
            Bins,
            CostMatrix,
            Shared.Cost,
            Shared.WeightsColumn,
            Method,
            Shared.P,
            Shared.Epsilon,
            Shared.EpsilonScale,
            Projections,
            Seed,
            Output,
            Resume,
            Part,
            Merge,
            Shared.Tolerance,
            Shared.MaxIterations,
            Shared.TimeLimit,
            Shared.Backend,
            Shared.Threads,
            Shared.Json,
        };

    /// <summary>What is asked of each pair; options that mean nothing for it are refused.</summary>
    public PairwiseQuantity Quantity(ParseResult parse)
    {
        string name =
            parse.GetValue(Method) ?? throw new InputException($"--method is missing: what is wanted? There are {Methods}.");
        bool entropic = name is "entropic" or "entropic-cost" or "divergence";
        if (!entropic)
            TransportArguments.Refuse(
                parse,
                $"--method {name}",
                Shared.Epsilon,
                Shared.EpsilonScale,
                Shared.Tolerance,
                Shared.MaxIterations,
                Shared.Backend
            );
        if (name is not ("wasserstein" or "sliced"))
            TransportArguments.Refuse(parse, $"--method {name}", Shared.P);
        if (name is "sliced")
            TransportArguments.Refuse(parse, $"--method {name}", Shared.Cost, Histograms);
        else
            TransportArguments.Refuse(parse, $"--method {name}", Projections, Seed);
        double p = parse.GetValue(Shared.P) ?? 2;
        if (p < 1)
            throw new InputException(FormattableString.Invariant($"--p {p}: the order of a distance must be at least 1."));
        Epsilon? epsilon = entropic ? ((EntropyRegularizer)ProblemInput.EntropyOf(Shared, parse)).Epsilon : null;
        return name switch
        {
            "wasserstein" => PairwiseQuantity.Wasserstein(p),
            "cost" => PairwiseQuantity.TransportCost,
            "entropic" => PairwiseQuantity.EntropicValue(epsilon),
            "entropic-cost" => PairwiseQuantity.EntropicCost(epsilon),
            "divergence" => PairwiseQuantity.Divergence(epsilon),
            "sliced" => PairwiseQuantity.Sliced(
                p,
                new SlicedOptions
                {
                    Projections = (int)(parse.GetValue(Projections) ?? 100),
                    Seed = (ulong)(parse.GetValue(Seed) ?? 0),
                }
            ),
            _ => throw new InputException($"--method {name}: not known: there are {Methods}."),
        };
    }

    /// <summary>Share and number of shares; null for the whole.</summary>
    public (int Part, int Parts)? ParsePart(ParseResult parse)
    {
        if (parse.GetValue(Part) is not { } text)
            return null;
        string[] fields = text.Split('/');
        return
            fields.Length == 2
            && int.TryParse(fields[0], NumberStyles.None, CultureInfo.InvariantCulture, out int part)
            && int.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out int parts)
            && part >= 1
            && part <= parts
            ? (part, parts)
            : throw new InputException($"--part {text}: must be k/K, whole numbers with 1 <= k <= K.");
    }
}
