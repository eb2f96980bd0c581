using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>
/// The entropic plan with the empty bins alive: <c>P'_ij = a'_i b'_j exp((f_i + g_j − C_ij)/ε)</c> with a' = a where a is more than nothing and 1 elsewhere, b' likewise.
/// So the derivatives at an empty bin, which are those of <c>Σ_j b_j exp(…) = 1</c> and no limit of 0/0, come from the same rows.
/// </summary>
internal sealed class LiveRows
{
    /// <summary>Between two empty bins nothing bounds P'.</summary>
    const double Largest = 1e300;

    /// <summary>Weight, as a share of the mass, that counts as none.</summary>
    const double Negligible = 1e-200;

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
        (A, B) = (Filled(problem.A), Filled(problem.B));
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

    /// <summary>Which bins count as having weight: not those whose rows would lose digits to underflow, where the limit of no weight is exact.</summary>
    public static bool[] Alive(Measure measure)
    {
        var alive = new bool[measure.Count];
        for (int k = 0; k < alive.Length; k++)
            alive[k] = measure.Weights[k] > Negligible * measure.Mass;
        return alive;
    }

    static Measure Filled(Measure measure)
    {
        bool[] alive = Alive(measure);
        return alive.Contains(false) ? Measure.Of([.. alive.Select((lives, k) => lives ? measure.Weights[k] : 1)]) : measure;
    }
}
