using System.Globalization;
using System.Text;
using OT.Solvers;

namespace OT.Cli;

/// <summary>Keeps every look at a running solver for <c>--trace</c>, and passes it on.</summary>
sealed class Trace(IProgress<SolverProgress> next) : IProgress<SolverProgress>
{
    readonly List<SolverProgress> _looks = [];

    public void Report(SolverProgress value)
    {
        _looks.Add(value);
        next.Report(value);
    }

    /// <summary>Iteration, seconds since the solve began and error, one look a line.</summary>
    public string ToCsv()
    {
        var text = new StringBuilder("iteration,seconds,error\n");
        foreach (SolverProgress look in _looks)
            text.Append(CultureInfo.InvariantCulture, $"{look.Iteration},{look.Elapsed.TotalSeconds:0.######},{look.Error:R}\n");
        return text.ToString();
    }
}
