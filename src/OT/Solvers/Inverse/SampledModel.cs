using System.Numerics.Tensors;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;

namespace OT.Solvers.Inverse;

/// <summary>The loss of an observed coupling, its plans by Sinkhorn's iteration on any back end.</summary>
/// <remarks>
/// Gradient by the envelope theorem; all means in one pass over the plan. Hessian <c>⟨c_k^⊥, c_l^⊥⟩_P / ε</c>, <c>c^⊥</c> the residual of the weighted least-squares fit of c by
/// u(x) + v(y): one system in the plan's Laplacian for each term (<see cref="PlanProjection"/>).
/// </remarks>
internal sealed class SampledModel : InverseModel
{
    /// <summary>Sinkhorn takes ε between these shares of the largest cost; a little less is tried.</summary>
    const double SmallestShare = 4.0 / (1L << 44);
    const double LargestShare = 1 << 29;

    /// <summary>Iterations that settle the plan of costs which are nothing beside ε.</summary>
    const int FewIterations = 6;

    const int InnerIterations = 20_000;

    /// <summary>Terms up to which forbidden pairs are looked at for what they hide.</summary>
    const int MostTerms = 600;

    /// <summary>Share of a term on the allowed pairs that is rounding once its fit by functions of x and of y is off.</summary>
    const double Unseen = 1e-10;

    readonly IBackend _backend;
    readonly CancellationToken _cancellation;
    readonly Geometry? _fixed;
    readonly double[] _observed;
    readonly double _constant;
    readonly double[] _logA;
    readonly double[] _logB;

    // The last cost that was bound: a Hessian follows a gradient.
    (double[] Theta, ShiftedCost Cost, Geometry Prepared)? _last;

    /// <summary>Centres the terms and takes their observed means.</summary>
    /// <exception cref="ArgumentException">The observed coupling uses a forbidden pair.</exception>
    public SampledModel(InverseProblem problem, IBackend backend, CancellationToken cancellation)
    {
        (_backend, _cancellation, _fixed) = (backend, cancellation, problem.FixedCost);
        ObservedCoupling observed = problem.Observed;
        (A, B) = (observed.A, observed.B);
        (_logA, _logB) = (VectorMath.LogWeights(A.Weights), VectorMath.LogWeights(B.Weights));
        Epsilon = problem.CostEpsilon;
        // The first look at the terms is not cut short: every answer needs it.
        Features = FeatureSet.Of(problem.Dictionary, A, B, backend.Threads, CancellationToken.None);
        _observed = Features.Means(observed.Masses);
        _constant = (Epsilon * Divergence(observed)) + FixedCost(observed.Masses);
        AllowedGram = _fixed is { HasForbiddenPairs: true } && Count <= MostTerms ? Allowed() : null;
        Deviations = new double[Count];
        for (int k = 0; k < Count; k++)
        {
            Deviations[k] = AllowedGram is { } gram && gram[k][k] == 0 ? 0 : Features.Deviation(k);
            if (Deviations[k] > 0)
                Sensitivity = Math.Max(Sensitivity, Features.Magnitude(k).Centred / Deviations[k]);
        }
    }

    public Measure A { get; }

    public Measure B { get; }

    public FeatureSet Features { get; }

    /// <summary>
    /// The Gram matrix of what functions of x and of y leave of the terms on the allowed pairs, zero rows where that is rounding; null where no pair is forbidden, which <see cref="FeatureSet.Gram"/> is for, and
    /// beyond <see cref="MostTerms"/>.
    /// </summary>
    public double[][]? AllowedGram { get; }

    public override int Count => Features.Count;

    public override double Epsilon { get; }

    public override double[] Deviations { get; }

    public override double Sensitivity { get; }

    public override string Backend => _ran;

    string _ran = "";

    public override Evaluation? Evaluate(double[] theta, double tolerance, double[] f, double[] g)
    {
        if (!double.IsFinite(TensorPrimitives.Sum<double>(theta)))
            return null;
        (ShiftedCost cost, Geometry prepared) = Bound(theta);
        double bound = prepared.MagnitudeBound;
        if (!(Epsilon > bound * SmallestShare))
            return null;
        double[] startF = new double[A.Count],
            startG = new double[B.Count];
        if (f.Length > 0)
        {
            TensorPrimitives.Add(f, cost.RowShift, startF);
            TensorPrimitives.Add(g, cost.ColumnShift, startG);
        }
        using ICostOperator op = _backend.Bind(prepared, Precision.Float64, _cancellation);
        _ran = op.Description;
        if (bound > 0 && Epsilon > bound * LargestShare)
            Settle(op, startF, startG);
        else
            (startF, startG) = Inner(prepared, tolerance, f.Length > 0 ? new Potentials(startF, startG) : null);

        GibbsPlan plan = Plan(startF, startG);
        (double[] means, double[] rowSums) =
            Features.Means(op, plan)
            ?? Moments(new PotentialPlan(prepared, A, B, new Potentials(startF, startG), Epsilon)).Means();
        var columnSums = new double[B.Count];
        op.ApplyPlan(plan, Ones(A.Count), columnSums, transpose: true);
        if (op.Interrupted)
            throw new OperationCanceledException(_cancellation);
        double error = Summation.L1Distance(rowSums, A.Weights) + Summation.L1Distance(columnSums, B.Weights);
        TensorPrimitives.Subtract(startF, cost.RowShift, startF);
        TensorPrimitives.Subtract(startG, cost.ColumnShift, startG);
        double dual =
            Summation.Dot(A.Weights, startF) + Summation.Dot(B.Weights, startG) - (Epsilon * (Summation.Sum(rowSums) - 1));
        double value = Summation.Dot(theta, _observed) + _constant - dual;
        var gradient = new double[Count];
        TensorPrimitives.Subtract(_observed, means, gradient);
        for (int k = 0; k < Count; k++)
            gradient[k] = Deviations[k] > 0 ? gradient[k] : 0;
        return double.IsFinite(value)
            ? new Evaluation(theta, value, gradient, tolerance, error) { F = startF, G = startG }
            : null;
    }

    (double[] F, double[] G) Inner(Geometry prepared, double tolerance, Potentials? start)
    {
        var problem = new LinearProblem(prepared, A, B) { Regularizer = Regularizer.Entropy(Problems.Epsilon.Absolute(Epsilon)) };
        var sinkhorn = new Sinkhorn(new() { Tolerance = tolerance, MaxIterations = InnerIterations }, _backend);
        TransportResult result = start is null
            ? sinkhorn.Solve(problem, _cancellation)
            : sinkhorn.Solve(problem, start, _cancellation);
        _cancellation.ThrowIfCancellationRequested();
        if (start is not null && result.Status is SolverStatus.IterationLimit or SolverStatus.NumericalFailure)
            result = sinkhorn.Solve(problem, _cancellation); // a start from far away may be worse than none
        _cancellation.ThrowIfCancellationRequested();
        return (result.Potentials!.F.ToArray(), result.Potentials.G.ToArray());
    }

    /// <summary>Plain iterations where the class that solves would refuse to look for costs behind the rounding of the entropy.</summary>
    void Settle(ICostOperator op, double[] f, double[] g) =>
        op.Iterate(
            FewIterations,
            new SinkhornStep
            {
                Epsilon = Epsilon,
                A = A.Weights.ToArray(),
                B = B.Weights.ToArray(),
                LogA = _logA,
                LogB = _logB,
            },
            f,
            g,
            out _
        );

    public override HessianBlock Hessian(Evaluation at, int[] terms, double tolerance)
    {
        (Geometry prepared, Potentials potentials) = Prepared(at);
        return Rests(prepared, potentials, Epsilon, terms, tolerance, _cancellation).Block;
    }

    /// <summary>The terms' Gram matrix on <c>a ⊗ b</c> without the forbidden pairs: every plan of positive masses has its null space.</summary>
    double[][] Allowed()
    {
        Geometry allowed = _backend.Prepare(CostMatrix.Quick(new CostSum((0, _fixed!)), _backend.MemoryLimit));
        var nothing = new Potentials(new double[A.Count], new double[B.Count]);
        int[] all = [.. Enumerable.Range(0, Count)];
        (HessianBlock block, TermSums sums) = Rests(allowed, nothing, 1, all, ExactSystems, CancellationToken.None);
        double[][] gram = block.Values;
        foreach (int k in all)
        {
            if (Features.Deviation(k) > 0 && gram[k][k] > Unseen * sums.Products[(k * Count) + k])
                continue;
            foreach (int l in all)
                gram[k][l] = gram[l][k] = 0;
        }
        return gram;
    }

    /// <summary><c>⟨c_k^⊥, c_l^⊥⟩_P / ε</c> for the plan of some cost and potentials, and the sums that it is made of.</summary>
    (HessianBlock Block, TermSums Sums) Rests(
        Geometry prepared,
        Potentials potentials,
        double epsilon,
        int[] terms,
        double tolerance,
        CancellationToken cancellation
    )
    {
        int count = terms.Length,
            n = A.Count,
            m = B.Count;
        var plan = new PotentialPlan(prepared, A, B, potentials, epsilon);
        TermSums sums = new PlanMoments(Features, plan, _backend.Threads, cancellation).Sums(terms);
        (double[] u, double[] v) = Project(
            prepared,
            potentials,
            epsilon,
            sums.Rows,
            sums.Columns,
            count,
            tolerance,
            cancellation
        );
        var values = new double[count][];
        for (int k = 0; k < count; k++)
            values[k] = new double[count];
        for (int k = 0; k < count; k++)
        {
            for (int l = 0; l <= k; l++)
            {
                // ⟨c_k, c_l⟩ less the part that u(x) + v(y) explains, by the mean of both orders.
                double explained = (Explained(k, l) + Explained(l, k)) / 2;
                values[k][l] = values[l][k] = (sums.Products[(k * count) + l] - explained) / epsilon;
            }
        }
        var block = new HessianBlock(
            values,
            [.. Enumerable.Range(0, count).Select(k => u[(k * n)..((k + 1) * n)])],
            [.. Enumerable.Range(0, count).Select(k => v[(k * m)..((k + 1) * m)])]
        );
        return (block, sums);

        double Explained(int k, int l) =>
            TensorPrimitives.Dot<double>(u.AsSpan(k * n, n), sums.Rows.AsSpan(l * n, n))
            + TensorPrimitives.Dot<double>(v.AsSpan(k * m, m), sums.Columns.AsSpan(l * m, m));
    }

    public override double[] HessianTimes(Evaluation at, double[] v)
    {
        (Geometry prepared, Potentials potentials) = Prepared(at);
        PlanMoments moments = Moments(new PotentialPlan(prepared, A, B, potentials, Epsilon));
        (double[] rows, double[] columns) = moments.Sums(v);
        (double[] f, double[] g) = Project(prepared, potentials, Epsilon, rows, columns, 1, ExactSystems, _cancellation);
        double[] result = moments.MeansOfRest(v, f, g);
        TensorPrimitives.Divide(result, Epsilon, result);
        return result;
    }

    PlanMoments Moments(TransportPlan plan) => new(Features, plan, _backend.Threads, _cancellation);

    (double[] U, double[] V) Project(
        Geometry prepared,
        Potentials potentials,
        double epsilon,
        double[] rows,
        double[] columns,
        int count,
        double tolerance,
        CancellationToken cancellation
    )
    {
        using ICostOperator op = _backend.Bind(prepared, Precision.Float64, cancellation);
        var projection = new PlanProjection(op, potentials, _logA, _logB, epsilon, cancellation);
        return projection.Solve(rows, columns, count, tolerance);
    }

    (ShiftedCost Cost, Geometry Prepared) Bound(double[] theta)
    {
        if (_last is { } last && last.Theta.AsSpan().SequenceEqual(theta))
            return (last.Cost, last.Prepared);
        ShiftedCost cost = Features.Cost(theta);
        Geometry whole = WithFixed(cost);
        // Devices stream clouds and stored costs, and know no sums of terms.
        Geometry prepared = _backend.Prepare(whole is PointCloud ? whole : CostMatrix.Quick(whole, _backend.MemoryLimit));
        _last = (theta, cost, prepared);
        return (cost, prepared);
    }

    Geometry WithFixed(ShiftedCost cost) => _fixed is null ? cost.Geometry : new CostSum((1, _fixed), (1, cost.Geometry));

    /// <summary>The cost that a back end streams, and the potentials for it.</summary>
    (Geometry Prepared, Potentials Potentials) Prepared(Evaluation at)
    {
        (ShiftedCost cost, Geometry prepared) = Bound(at.Theta);
        return (prepared, Shifted(at, cost));
    }

    static Potentials Shifted(Evaluation at, ShiftedCost cost)
    {
        double[] f = [.. at.F],
            g = [.. at.G];
        TensorPrimitives.Add(f, cost.RowShift, f);
        TensorPrimitives.Add(g, cost.ColumnShift, g);
        return new Potentials(f, g);
    }

    /// <summary>The plan at a parameter, over centred terms: large means in the terms as they were given would round it.</summary>
    public PotentialPlan PlanOf(Evaluation at)
    {
        ShiftedCost cost = Features.Cost(at.Theta);
        return new PotentialPlan(WithFixed(cost), A, B, Shifted(at, cost), Epsilon);
    }

    GibbsPlan Plan(double[] f, double[] g) =>
        new()
        {
            F = f,
            G = g,
            LogA = _logA,
            LogB = _logB,
            Epsilon = Epsilon,
        };

    static double[] Ones(int count)
    {
        var ones = new double[count];
        Array.Fill(ones, 1);
        return ones;
    }

    /// <summary><c>KL(P̂ | a ⊗ b)</c>.</summary>
    static double Divergence(ObservedCoupling observed)
    {
        Compensated sum = default;
        for (int i = 0; i < observed.Masses.Rows; i++)
        {
            ReadOnlySpan<double> masses = observed.Masses.RowValues(i);
            for (int k = 0; k < masses.Length; k++)
            {
                double b = observed.B.Weights[observed.Masses.RowColumns(i)[k]];
                if (masses[k] > 0)
                    sum.Add(masses[k] * (Math.Log(masses[k] / observed.A.Weights[i]) - Math.Log(b)));
            }
        }
        return sum.Value;
    }

    /// <summary><c>⟨c_0, P̂⟩</c>.</summary>
    double FixedCost(SparseMatrix masses)
    {
        if (_fixed is null)
            return 0;
        if (_fixed.Rows != masses.Rows || _fixed.Columns != masses.Columns)
            throw new ArgumentException(
                $"The fixed cost is {_fixed.Rows} x {_fixed.Columns}: it must be {masses.Rows} x {masses.Columns}, as the observed coupling is."
            );
        Compensated sum = default;
        for (int i = 0; i < masses.Rows; i++)
        {
            ReadOnlySpan<int> columns = masses.RowColumns(i);
            for (int k = 0; k < columns.Length; k++)
            {
                double cost = _fixed.Cost(i, columns[k]);
                if (masses.RowValues(i)[k] > 0 && !double.IsFinite(cost))
                    throw new ArgumentException(
                        $"The observed coupling has mass in row {i}, column {columns[k]}, which the fixed cost forbids: no cost explains it."
                    );
                sum.Add(masses.RowValues(i)[k] == 0 ? 0 : masses.RowValues(i)[k] * cost);
            }
        }
        return sum.Value;
    }
}
