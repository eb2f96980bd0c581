using System.Globalization;
using OT.Problems;
using OT.Results;

namespace OT.Visuals;

/// <summary>What every picture says above the plot: the problem, its values, and how the solver ended.</summary>
static class Headline
{
    /// <summary>Pixels that the headline takes.</summary>
    public const double Height = 84;

    const long PairsForGap = 4_000_000;

    public static string Title(TransportResult result)
    {
        string kind = (result.Problem.Regularizer, result.Problem.IsBalanced) switch
        {
            (NoRegularizer, true) => "Optimal transport plan",
            (NoRegularizer, false) => "Unbalanced transport plan",
            (EntropyRegularizer, true) => "Entropic transport plan",
            (EntropyRegularizer, false) => "Unbalanced entropic transport plan",
            (_, true) => "Regularised transport plan",
            (_, false) => "Unbalanced regularised transport plan",
        };
        return string.Create(CultureInfo.InvariantCulture, $"{kind}, {result.Plan.Rows} × {result.Plan.Columns}");
    }

    public static string Values(TransportResult result)
    {
        var parts = new List<string> { $"transport cost {Number(result.TransportCost)}" };
        if (result.Problem is not { Regularizer: NoRegularizer, IsBalanced: true })
            parts.Add($"value {Number(result.Value)}");
        if (result.Epsilon > 0)
            parts.Add($"ε {Number(result.Epsilon)}");
        if (Gap(result) is { } gap)
            parts.Add($"certified gap {Small(gap)}");
        parts.Add($"marginal error {Small(result.MarginalError)}");
        return string.Join("  ·  ", parts);
    }

    public static string Ending(TransportResult result)
    {
        string ending = result.Converged
            ? string.Create(CultureInfo.InvariantCulture, $"Converged in {result.Iterations} iterations")
            : string.Create(CultureInfo.InvariantCulture, $"Not converged: {result.Status} after {result.Iterations} iterations");
        string rest = string.Join(
            ". ",
            new[] { result.Converged ? "" : result.Message, result.Why }.Where(text => text.Length > 0)
        );
        return Shorten(rest.Length == 0 ? ending : $"{ending}. {rest}", 118);
    }

    public static void Draw(SvgCanvas canvas, TransportResult result)
    {
        canvas.Text(16, 30, Title(result), "h");
        canvas.Text(16, 52, Values(result));
        canvas.Text(16, 71, Ending(result), "s");
    }

    /// <summary>Six significant digits.</summary>
    public static string Number(double value) =>
        double.IsFinite(value)
            ? value.ToString("G6", CultureInfo.InvariantCulture).Replace("E", "e", StringComparison.Ordinal)
            : "not finite";

    /// <summary>Two significant digits, for errors and gaps.</summary>
    public static string Small(double value) =>
        !double.IsFinite(value) ? "not finite"
        : value == 0 ? "0"
        : value.ToString("0.0e0", CultureInfo.InvariantCulture);

    static double? Gap(TransportResult result) =>
        result.Status is SolverStatus.Infeasible or SolverStatus.NumericalFailure
        || (long)result.Plan.Rows * result.Plan.Columns > PairsForGap
            ? null
            : result.Certify().Gap;

    static string Shorten(string text, int length)
    {
        string line = text.ReplaceLineEndings(" ");
        return line.Length <= length ? line : line[..(length - 1)].TrimEnd() + "…";
    }
}
