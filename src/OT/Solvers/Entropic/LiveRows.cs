using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>
/// The entropic plan with the empty bins alive: <c>P'_ij = a'_i b'_j exp((f_i + g_j − C_ij)/ε)</c> with a' = a where a &gt; 0 and 1 elsewhere, b' likewise.
/// So the derivatives at an empty bin, which are those of <c>Σ_j b_j exp(…) = 1</c> and no limit of 0/0, come from the same rows.
/// </summary>
internal sealed class LiveRows
{
    /// <summary>Between two empty bins nothing bounds P'.</summary>
    const double Largest = 1e300;

    readonly PotentialPlan _plan;
    readonly bool _unbounded;
    readonly double[]? _stored;

    /// <summary>The rows of a result.</summary>
    /// <param name="result">An entropic result with potentials.</param>
    /// <param name="store">Whether the rows are kept: n × m doubles.</param>
    /// <param name="threads">Threads that make them.</param>
    /// <param name="cancellation">Watched once per row.</param>
    public LiveRows(TransportResult result, bool store, int threads, CancellationToken cancellation)
    {
        LinearProblem problem = result.Problem;
        (A, B) = (Alive(problem.A), Alive(problem.B));
        _plan = new PotentialPlan(problem.Geometry, A, B, result.Potentials!, result.Epsilon);
        _unbounded = !ReferenceEquals(A, problem.A) && !ReferenceEquals(B, problem.B);
        if (!store)
            return;
        int m = Columns;
        var rows = new double[(long)Rows * m];
        RowReduction.Sum(Rows, 0, 0, threads, cancellation: cancellation, action: (i, _, _) => Fill(i, rows.AsSpan(i * m, m)));
        _stored = rows;
    }

    public Measure A { get; }

    public Measure B { get; }

    public int Rows => _plan.Rows;

    public int Columns => _plan.Columns;

    /// <summary>One row of P'.</summary>
    public void Row(int row, Span<double> values)
    {
        if (_stored is null)
            Fill(row, values);
        else
            _stored.AsSpan(row * Columns, Columns).CopyTo(values);
    }

    void Fill(int row, Span<double> values)
    {
        _plan.Row(row, values);
        if (_unbounded)
            TensorPrimitives.Min(values, Largest, values);
    }

    static Measure Alive(Measure measure)
    {
        if (!measure.Weights.Contains(0))
            return measure;
        double[] weights = measure.Weights.ToArray();
        foreach (ref double weight in weights.AsSpan())
            weight = weight == 0 ? 1 : weight;
        return Measure.Of(weights);
    }
}
