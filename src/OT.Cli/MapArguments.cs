using System.CommandLine;

namespace OT.Cli;

/// <summary>The arguments of <c>ot map</c>; what it shares with the other commands is theirs.</summary>
sealed class MapArguments
{
    public const string Methods = "exact, sinkhorn, linear, gaussian";

    /// <summary>Options of the other commands.</summary>
    public readonly TransportArguments Shared = new();

    public readonly Option<bool> Fit = new("--fit") { Description = "Fits a map from SOURCE to TARGET." };
    public readonly Option<string?> Model = TransportArguments.Text(
        "--model",
        "FILE.npz",
        "Applies the map kept there to SOURCE, any points of its source domain."
    );
    public readonly Option<string?> Method = TransportArguments.Text(
        "--method",
        "NAME",
        $"{Methods}: exact (default) and sinkhorn send points to the centres of a plan's rows, gaussian smooths the exact plan's displacements, linear matches means and covariances."
    );
    public readonly Option<string?> Labels = TransportArguments.Text(
        "--labels",
        "FILE",
        "The class of each source point: whole numbers from 0, -1 or nan where it is not known."
    );
    public readonly Option<string?> TargetLabels = TransportArguments.Text(
        "--target-labels",
        "FILE",
        "The same for target points; points of different known classes are kept apart."
    );
    public readonly Option<double?> Regularization = TransportArguments.Positive(
        "--regularization",
        "V",
        "linear: added to all variances, relative to their mean (0); gaussian: weight of smoothness (0.001)."
    );
    public readonly Option<double?> Bandwidth = TransportArguments.Positive(
        "--bandwidth",
        "V",
        "gaussian: over which distance displacements are alike; the spread of the points when left out."
    );
    public readonly Option<string?> Save = TransportArguments.Text("--save", "FILE.npz", "Where the fitted map is kept.");
    public readonly Option<string?> Output = TransportArguments.Text(
        "--output",
        "FILE",
        "The images of the points of SOURCE, .csv or .npy, one a row."
    );
    public readonly Option<string?> LabelOutput = TransportArguments.Text(
        "--label-output",
        "FILE.csv",
        "For each target point its likeliest class, as the plan carries --labels, and the share of each class."
    );
    public readonly Option<bool> Inverse = new("--inverse") { Description = "With --model: back from the target domain." };

    public Command Command()
    {
        Shared.Source.Description = "With --fit: source points, one a row. With --model: the points to map.";
        Shared.Target.Description = "With --fit: target points.";
        Shared.Target.Arity = ArgumentArity.ZeroOrOne;
        Shared.Tolerance.Description = "sinkhorn: L1 error of both marginals at which iterations stop; 1e-6 when left out.";
        return new("map", "Fits a map from one domain to another, keeps it, and applies it to points.")
        {
            Shared.Source,
            Shared.Target,
            Fit,
            Model,
            Method,
            Shared.Cost,
            Shared.WeightsSource,
            Shared.WeightsTarget,
            Shared.WeightsColumn,
            Labels,
            TargetLabels,
            Shared.Epsilon,
            Shared.EpsilonScale,
            Regularization,
            Bandwidth,
            Shared.Tolerance,
            Shared.MaxIterations,
            Shared.TimeLimit,
            Shared.Backend,
            Shared.Threads,
            Shared.Memory,
            Save,
            Output,
            LabelOutput,
            Inverse,
            Shared.Json,
        };
    }

    /// <summary>The method asked for; options that mean nothing for it are refused.</summary>
    public string MethodOf(ParseResult parse)
    {
        string name = parse.GetValue(Method) ?? "exact";
        Option[] entropic =
        [
            Shared.Epsilon,
            Shared.EpsilonScale,
            Shared.Tolerance,
            Shared.Backend,
            Shared.Threads,
            Shared.Memory,
        ];
        Option[] plans = [Shared.Cost, Labels, TargetLabels, Shared.MaxIterations, Shared.TimeLimit, LabelOutput];
        Option[] refused = name switch
        {
            "exact" => [.. entropic, Regularization, Bandwidth],
            "sinkhorn" => [Regularization, Bandwidth],
            "gaussian" => entropic,
            "linear" => [.. entropic, .. plans, Bandwidth],
            _ => throw new InputException($"--method {name}: not known: there are {Methods}."),
        };
        TransportArguments.Refuse(parse, $"--method {name}", [.. refused, Inverse]);
        return name;
    }

    /// <summary>With a map that is there already, everything that belongs to a fit.</summary>
    public void RefuseFits(ParseResult parse)
    {
        Option[] applied = [Model, Output, Inverse, Shared.Json];
        TransportArguments.Refuse(parse, "--model", [.. parse.CommandResult.Command.Options.Except(applied)]);
    }
}
