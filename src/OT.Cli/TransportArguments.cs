using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using OT.Backends;
using OT.Geometries;
using OT.Problems;

namespace OT.Cli;

/// <summary>The arguments of <c>ot solve</c>, <c>ot distance</c> and <c>ot certify</c>, declared once.</summary>
sealed class TransportArguments
{
    public readonly Argument<string> Source = new("SOURCE")
    {
        Description =
            "Source points, one a row, or weights with --cost-matrix: .csv, .tsv, .npy, .npz:member, - for standard input.",
    };
    public readonly Argument<string> Target = new("TARGET") { Description = "Target points or weights." };
    public readonly Option<string?> Batch = Text(
        "--batch",
        "OFFSETS",
        "Many entropic problems in a row: two columns, where each begins in SOURCE and TARGET, and a last row with their lengths."
    );
    public readonly Option<string?> Cost = Text(
        "--cost",
        "NAME",
        "sqeuclidean (default), euclidean, cityblock, chebyshev, cosine, minkowski:P, half-sqeuclidean, sphere."
    );
    public readonly Option<string?> CostMatrix = Text(
        "--cost-matrix",
        "FILE",
        "Costs, one row for each source weight; inf forbids a pair. SOURCE and TARGET are weights then."
    );
    public readonly Option<string?> WeightsSource = Text(
        "--weights-source",
        "FILE",
        "Source weights; uniform with mass 1 when left out."
    );
    public readonly Option<string?> WeightsTarget = Text(
        "--weights-target",
        "FILE",
        "Target weights; uniform with mass 1 when left out."
    );
    public readonly Option<string?> WeightsColumn = Text(
        "--weights-column",
        "NAME",
        "The column of SOURCE and TARGET that holds weights; it is no coordinate then."
    );
    public readonly Option<double?> P = Positive("--p", "P", "Order of the distance, at least 1; 2 when left out.");
    public readonly Option<string?> Method = Text(
        "--method",
        "NAME",
        "auto (default), exact, network-simplex, assignment, univariate, sinkhorn, sparse-newton, mirror-sinkhorn, greenkhorn, quadratic, k-sparse, sum-of-norms. auto is sinkhorn with --epsilon or --rho-*, else exact."
    );
    public readonly Option<double?> Epsilon = Positive(
        "--epsilon",
        "V",
        "Strength of entropy in cost units; 0.05 of the mean cost when left out."
    );
    public readonly Option<string?> EpsilonScale = Text(
        "--epsilon-scale",
        "SCALE",
        "absolute (default), mean, median, max, std: what --epsilon multiplies."
    );
    public readonly Option<double?> Gamma = Positive(
        "--gamma",
        "G",
        "Strength of the quadratic term G/2 |P|^2 of quadratic and k-sparse, in cost units per mass."
    );
    public readonly Option<long?> K = Whole(
        "--k",
        "K",
        1,
        int.MaxValue,
        "Entries that k-sparse allows in each column at most, or in each row."
    );
    public readonly Option<string?> Axis = Text("--axis", "NAME", "columns (default) or rows: the lines that --k limits.");
    public readonly Option<double?> RhoSource = Positive(
        "--rho-source",
        "V",
        "Price of missing the source marginal; a hard constraint when left out."
    );
    public readonly Option<double?> RhoTarget = Positive(
        "--rho-target",
        "V",
        "Price of missing the target marginal; a hard constraint when left out."
    );
    public readonly Option<string?> Penalty = Text(
        "--penalty",
        "NAME",
        "kl (default) or tv: what --rho-source and --rho-target multiply, KL(P1 | a) or |P1 - a|."
    );
    public readonly Option<double?> Rho = Positive(
        "--rho",
        "V",
        "Price of missing a marginal, the same in all terms; hard constraints when left out."
    );
    public readonly Option<double?> Lambda = Positive(
        "--lambda",
        "L",
        "sum-of-norms: strength, in cost units, at which rows and columns of the plan are drawn together."
    );
    public readonly Option<string?> Labels = Text(
        "--labels",
        "FILE",
        "sum-of-norms: the class of each source, from 0, -1 for none; sources of one class are drawn together."
    );
    public readonly Option<long?> Neighbours = Whole(
        "--neighbours",
        "K",
        1,
        int.MaxValue,
        "sum-of-norms: nearest points that are drawn together on both sides; 10 when left out, and with --labels all of a class."
    );
    public readonly Option<double?> Tolerance = Positive(
        "--tolerance",
        "T",
        "L1 error of both marginals, relative to the larger mass, at which iterations stop, and that the verdict accepts; 1e-6 when left out."
    );
    public readonly Option<long?> MaxIterations = Whole(
        "--max-iterations",
        "N",
        0,
        int.MaxValue,
        "Iterations at most; 10000 for sinkhorn, 1000 for mirror-sinkhorn, 2000 steps for quadratic and k-sparse, and no limit for exact methods when left out."
    );
    public readonly Option<double?> TimeLimit = Positive("--time-limit", "SECONDS", "Wall-clock time of the solve at most.");
    public readonly Option<string?> Backend = Text("--backend", "NAME", "auto (default), or a name that 'ot backends' lists.");
    public readonly Option<long?> Threads = Whole("--threads", "N", 1, 4096, "Threads; all processors when left out.");
    public readonly Option<string?> Precision = Text(
        "--precision",
        "NAME",
        "double (default), single, or tf32 (single, with tensor cores where there are any): what sinkhorn streams."
    );
    public readonly Option<long?> Memory = new("--memory")
    {
        HelpName = "BYTES",
        Description = "Bytes that the solve may take; K, M, G, T may follow the number.",
        CustomParser = ParseBytes,
    };
    public readonly Option<string?> Plan = Text(
        "--plan",
        "FILE",
        "The plan: .csv triples row,column,mass from 0, .npy dense, .npz compressed rows."
    );
    public readonly Option<string?> Potentials = Text("--potentials", "FILE.npz", "The dual potentials f and g.");
    public readonly Option<string?> Plot = Text("--plot", "FILE.svg", "A picture of the plan.");
    public readonly Option<string?> Gradient = Text(
        "--gradient",
        "FILE",
        "Derivatives in points and weights of both sides: .npz arrays, .csv one row for each point."
    );
    public readonly Option<string?> Trace = Text("--trace", "FILE.csv", "Iteration, seconds and marginal error of every check.");
    public readonly Option<string?> Checkpoint = Text(
        "--checkpoint",
        "FILE.npz",
        "Where sinkhorn keeps its state while it runs."
    );
    public readonly Option<double?> CheckpointEvery = Positive(
        "--checkpoint-every",
        "SECONDS",
        "How often the state is written; 5 when left out."
    );
    public readonly Option<string?> Resume = Text("--resume", "FILE.npz", "A state to go on from.");
    public readonly Option<bool> Json = new("--json") { Description = "One JSON object on standard output." };

    /// <summary>What both sides of every command share.</summary>
    public void AddProblemTo(Command command, bool distance = false)
    {
        command.Add(Source);
        command.Add(Target);
        command.Add(Cost);
        if (distance)
            command.Add(P);
        else
            command.Add(CostMatrix);
        command.Add(WeightsSource);
        command.Add(WeightsTarget);
        command.Add(WeightsColumn);
        command.Add(Epsilon);
        command.Add(EpsilonScale);
        if (!distance)
        {
            command.Add(RhoSource);
            command.Add(RhoTarget);
            command.Add(Penalty);
        }
        command.Add(Tolerance);
        command.Add(Plan);
        command.Add(Potentials);
        command.Add(Json);
    }

    /// <summary>What <c>ot divergence</c> takes: three entropic problems of one strength.</summary>
    public void AddDivergenceTo(Command command)
    {
        command.Add(Source);
        command.Add(Target);
        foreach (
            Option option in (ReadOnlySpan<Option>)
                [
                    Cost,
                    CostMatrix,
                    WeightsSource,
                    WeightsTarget,
                    WeightsColumn,
                    Epsilon,
                    EpsilonScale,
                    Rho,
                    Tolerance,
                    MaxIterations,
                    TimeLimit,
                    Backend,
                    Threads,
                    Precision,
                    Memory,
                    Gradient,
                    Json,
                ]
        )
            command.Add(option);
    }

    /// <summary>What <c>--method sum-of-norms</c> takes.</summary>
    public void AddClassesTo(Command command)
    {
        command.Add(Lambda);
        command.Add(Labels);
        command.Add(Neighbours);
    }

    public void AddSolverTo(Command command)
    {
        foreach (
            Option option in (ReadOnlySpan<Option>)
                [
                    Method,
                    Gamma,
                    K,
                    Axis,
                    MaxIterations,
                    TimeLimit,
                    Backend,
                    Threads,
                    Precision,
                    Memory,
                    Plot,
                    Trace,
                    Checkpoint,
                    CheckpointEvery,
                    Resume,
                ]
        )
            command.Add(option);
    }

    public static GroundCost ParseCost(string name)
    {
        if (name.StartsWith("minkowski:", StringComparison.Ordinal))
        {
            return TryDouble(name["minkowski:".Length..], out double p) && p >= 1 && double.IsFinite(p)
                ? GroundCost.Minkowski(p)
                : throw new InputException($"--cost {name}: the order after the colon must be a number of at least 1.");
        }
        return name switch
        {
            "sqeuclidean" => GroundCost.SquaredEuclidean,
            "half-sqeuclidean" => GroundCost.HalfSquaredEuclidean,
            "euclidean" => GroundCost.Euclidean,
            "cityblock" => GroundCost.CityBlock,
            "chebyshev" => GroundCost.Chebyshev,
            "cosine" => GroundCost.Cosine,
            "sphere" => GroundCost.SphereGeodesic,
            _ => throw new InputException(
                $"--cost {name}: not known: there are sqeuclidean, half-sqeuclidean, euclidean, cityblock, chebyshev, cosine, sphere, minkowski:P."
            ),
        };
    }

    /// <summary>A cost that is a distance, so that there is a W_p of it.</summary>
    public static GroundCost ParseDistance(string name) =>
        name is "sqeuclidean" or "half-sqeuclidean" or "cosine"
            ? throw new InputException(
                $"--cost {name}: is no distance, so it has no W_p: give euclidean, cityblock, chebyshev, sphere or minkowski:P, or use 'ot solve'."
            )
            : ParseCost(name);

    public static EpsilonScale ParseScale(string name) =>
        name switch
        {
            "absolute" => Problems.EpsilonScale.Absolute,
            "mean" => Problems.EpsilonScale.Mean,
            "median" => Problems.EpsilonScale.Median,
            "max" => Problems.EpsilonScale.Max,
            "std" => Problems.EpsilonScale.StandardDeviation,
            _ => throw new InputException($"--epsilon-scale {name}: not known: there are absolute, mean, median, max, std."),
        };

    public static Precision ParsePrecision(string name) =>
        name switch
        {
            "double" => OT.Backends.Precision.Float64,
            "single" => OT.Backends.Precision.Float32,
            "tf32" => OT.Backends.Precision.TensorFloat32,
            _ => throw new InputException($"--precision {name}: not known: there are double, single and tf32."),
        };

    /// <summary>The name that <see cref="ParsePrecision"/> takes.</summary>
    public static string NameOf(Precision precision) =>
        precision switch
        {
            OT.Backends.Precision.Float32 => "single",
            OT.Backends.Precision.TensorFloat32 => "tf32",
            _ => "double",
        };

    public static Func<double, MarginalPenalty> ParsePenalty(string name) =>
        name switch
        {
            "kl" => MarginalPenalty.KullbackLeibler,
            "tv" => MarginalPenalty.TotalVariation,
            _ => throw new InputException($"--penalty {name}: not known: there are kl and tv."),
        };

    /// <summary>Refuses options that were given and mean nothing beside others.</summary>
    public static void Refuse(ParseResult parse, string with, params ReadOnlySpan<Option> options)
    {
        foreach (Option option in options)
        {
            if (parse.GetResult(option) is { Implicit: false })
                throw new InputException($"{option.Name} means nothing with {with}.");
        }
    }

    public static Option<string?> Text(string name, string value, string description) =>
        new(name) { HelpName = value, Description = description };

    public static Option<double?> Positive(string name, string value, string description) =>
        new(name)
        {
            HelpName = value,
            Description = description,
            CustomParser = result =>
            {
                if (TryDouble(Token(result), out double number) && number > 0 && double.IsFinite(number))
                    return number;
                result.AddError($"{name} {Token(result)}: must be a positive finite number.");
                return null;
            },
        };

    public static Option<long?> Whole(string name, string value, long low, long high, string description) =>
        new(name)
        {
            HelpName = value,
            Description = description,
            CustomParser = result =>
            {
                if (
                    long.TryParse(Token(result), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
                    && number >= low
                    && number <= high
                )
                    return number;
                result.AddError(
                    FormattableString.Invariant($"{name} {Token(result)}: must be a whole number from {low} to {high}.")
                );
                return null;
            },
        };

    static long? ParseBytes(ArgumentResult result)
    {
        string text = Token(result);
        int power = text.Length == 0 ? -1 : "KMGT".IndexOf(char.ToUpperInvariant(text[^1]));
        if (
            TryDouble(power < 0 ? text : text[..^1], out double number)
            && number * Math.Pow(1024, power + 1) is >= 1 and <= long.MaxValue / 2 and var bytes
        )
            return (long)bytes;
        result.AddError($"--memory {text}: must be a positive number of bytes, which K, M, G or T may follow.");
        return null;
    }

    static string Token(ArgumentResult result) => result.Tokens.Count == 0 ? "" : result.Tokens[^1].Value;

    static bool TryDouble(string text, out double number) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number);
}
