using System.Globalization;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Testing;

/// <summary>
/// Laws that every solver of <see cref="LinearProblem"/> obeys. Each takes the solver as a function and a problem, and throws <see cref="LawViolatedException"/>
/// where it does not hold.
/// </summary>
/// <remarks>
/// Values are the solver's reported ones: a certificate is right whatever the solver did, so it could not convict. The tolerance is the error of a value that
/// the solver promises, in units of <see cref="ValueScale"/>; an L1 marginal error of δ moves a value by δ times the potentials, so a few δ is a fair promise.
/// Plans of problems with entropy are compared by Pinsker's inequality: the objective is ε-strongly convex in KL, so a value error of e allows
/// <c>|P − P*|₁ ≤ sqrt(2 mass e / ε)</c>.
/// </remarks>
public static class Laws
{
    const double Rounding = 1e-12; // of the value scale: sums of loops against compensated sums

    /// <summary>The solver converges, gap ≥ 0, and the gap is at most <paramref name="tolerance"/> times mass and scale of the problem.</summary>
    /// <param name="solve">The solver.</param>
    /// <param name="problem">A problem it should solve.</param>
    /// <param name="tolerance">The relative gap allowed; see <see cref="ValueScale"/>.</param>
    public static void CertificateCloses(Func<LinearProblem, TransportResult> solve, LinearProblem problem, double tolerance)
    {
        (_, Certificate certificate) = Answer(solve, problem);
        Approx.True(certificate.Gap is not null, "The result has no potentials, so nothing bounds its value from below.");
        Approx.AtMost(0, certificate.Gap!.Value, "0, against the gap,");
        Approx.AtMost(certificate.Gap.Value, tolerance * ValueScale(problem), "The gap");
    }

    /// <summary>The rounded plan is nonnegative and meets the hard marginals to <c>1e-14 (n + m)</c> of the mass.</summary>
    public static void RoundedPlanIsFeasible(Func<LinearProblem, TransportResult> solve, LinearProblem problem)
    {
        (_, Certificate certificate) = Answer(solve, problem);
        PlanIsFeasible(certificate.FeasiblePlan, problem);
    }

    /// <summary>A plan is nonnegative and meets the hard marginals to <c>1e-14 (n + m)</c> of the mass.</summary>
    public static void PlanIsFeasible(TransportPlan plan, LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(problem);
        var row = new double[plan.Columns];
        for (int i = 0; i < plan.Rows; i++)
        {
            plan.Row(i, row);
            for (int j = 0; j < row.Length; j++)
                Approx.True(row[j] >= 0, Text($"P[{i}, {j}] is {row[j]}"));
        }
        double tolerance = 1e-14 * (plan.Rows + plan.Columns) * problem.A.Mass;
        (double[] rows, double[] columns) = Oracles.Marginals(plan);
        if (problem.PenaltyA.IsExact)
            Approx.Equal(problem.A.Weights, rows, tolerance, "row sums");
        double scale = problem.IsBalanced ? problem.A.Mass / problem.B.Mass : 1;
        if (problem.PenaltyB.IsExact)
            Approx.Equal(Array.ConvertAll(problem.B.Weights.ToArray(), w => w * scale), columns, tolerance, "column sums");
    }

    /// <summary><see cref="TransportResult.MarginalError"/> is what the plan shows, and at most the tolerance the solver was given.</summary>
    public static void MarginalsWithinTolerance(
        Func<LinearProblem, TransportResult> solve,
        LinearProblem problem,
        double tolerance
    )
    {
        (TransportResult result, Certificate certificate) = Answer(solve, problem);
        // Two passes round an entry's exponent (f + g − C)/ε like the largest of its parts.
        double exponent = 0;
        if (result is { Epsilon: > 0, Potentials: { } potentials })
        {
            foreach (double[] part in (double[][])[potentials.F.ToArray(), potentials.G.ToArray()])
                exponent += Math.Abs(System.Numerics.Tensors.TensorPrimitives.MaxMagnitude<double>(part)) / result.Epsilon;
            exponent += problem.Geometry.MagnitudeBound / result.Epsilon;
        }
        double rounding = problem.A.Mass * (1e-13 + (exponent / (1L << 52)));
        Approx.AtMost(certificate.MarginalError, tolerance + rounding, "The marginal error of the plan");
        Approx.AtMost(result.MarginalError, tolerance + rounding, "The reported marginal error");
        // A solver may know its error from half a step before; an error of which it reports less than half is hidden.
        Approx.AtMost(
            certificate.MarginalError,
            (2 * result.MarginalError) + rounding,
            "The marginal error, against the reported one,"
        );
        if (!problem.IsBalanced)
            return;
        (double[] rows, double[] columns) = Oracles.Marginals(result.Plan);
        double scale = problem.A.Mass / problem.B.Mass;
        double error = 0;
        for (int i = 0; i < rows.Length; i++)
            error += Math.Abs(rows[i] - problem.A.Weights[i]);
        for (int j = 0; j < columns.Length; j++)
            error += Math.Abs(columns[j] - (scale * problem.B.Weights[j]));
        Approx.Equal(error, certificate.MarginalError, rounding, "marginal error, loops against certificate");
    }

    /// <summary>The reported parts are those of the plan itself, recomputed.</summary>
    public static void PlanValueEqualsReported(Func<LinearProblem, TransportResult> solve, LinearProblem problem)
    {
        (TransportResult result, Certificate certificate) = Answer(solve, problem);
        // The solver may evaluate its plan once more after the step that it reports on: first order in the marginal error.
        double tolerance = (1e-10 + (2 * result.MarginalError)) * ValueScale(problem);
        Approx.Equal(certificate.PlanTransportCost, result.TransportCost, tolerance, "transport cost, plan against report");
        Approx.Equal(certificate.PlanValue, result.Value, tolerance, "value, plan against report");
        Approx.Equal(
            Oracles.TransportCost(problem.Geometry, result.Plan),
            certificate.PlanTransportCost,
            Rounding * ValueScale(problem),
            "transport cost, loops against certificate"
        );
    }

    /// <summary>The parts of the value sum to the total, and a part without a cause is 0.</summary>
    public static void ValuePartsSumToTotal(Func<LinearProblem, TransportResult> solve, LinearProblem problem)
    {
        (TransportResult result, _) = Answer(solve, problem);
        double sum = result.TransportCost + result.RegularizerValue + result.PenaltyValueA + result.PenaltyValueB;
        Approx.Equal(sum, result.Value, 4 * Approx.Unit * Math.Abs(sum), "sum of the parts");
        Approx.True(
            problem.Regularizer is EntropyRegularizer || result.RegularizerValue == 0,
            "A problem without a regulariser has a regulariser value."
        );
        Approx.True(!problem.PenaltyA.IsExact || result.PenaltyValueA == 0, "A hard source marginal has a penalty value.");
        Approx.True(!problem.PenaltyB.IsExact || result.PenaltyValueB == 0, "A hard target marginal has a penalty value.");
    }

    /// <summary>Reordering rows and columns reorders the plan and leaves the value.</summary>
    public static void PermutationEquivariance(
        Func<LinearProblem, TransportResult> solve,
        LinearProblem problem,
        double tolerance,
        ulong seed = 1
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        int[] rows = ProblemChanges.Permutation(problem.Geometry.Rows, seed);
        int[] columns = ProblemChanges.Permutation(problem.Geometry.Columns, seed + 1);
        TransportResult before = Answer(solve, problem).Result;
        TransportResult after = Answer(solve, problem.Permute(rows, columns)).Result;
        SameValue(problem, before, after, tolerance, 1, 0, "after a permutation");
        var expected = new double[rows.Length, columns.Length];
        Matrix dense = before.Plan.ToDense();
        for (int i = 0; i < rows.Length; i++)
        {
            for (int j = 0; j < columns.Length; j++)
                expected[i, j] = dense[rows[i], columns[j]];
        }
        SamePlan(problem, new DensePlan(Matrix.From(expected)), after.Plan, tolerance, "after a permutation");
    }

    /// <summary>Exchanging source and target transposes the plan and leaves the value.</summary>
    public static void Transposition(Func<LinearProblem, TransportResult> solve, LinearProblem problem, double tolerance)
    {
        TransportResult before = Answer(solve, problem).Result;
        TransportResult after = Answer(solve, problem.Transpose()).Result;
        SameValue(problem, before, after, tolerance, 1, 0, "after transposition");
        SamePlan(problem, new DensePlan(before.Plan.ToDense().Transpose()), after.Plan, tolerance, "after transposition");
    }

    /// <summary><c>C + u1ᵀ + 1vᵀ</c> adds <c>⟨u, a⟩ + ⟨v, b⟩</c> to a balanced value and leaves the plan.</summary>
    public static void CostShift(
        Func<LinearProblem, TransportResult> solve,
        LinearProblem problem,
        double tolerance,
        ulong seed = 1
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        var random = new SeededRandom(seed);
        double scale = Approx.CostScale(problem.Geometry);
        double[] u = [.. Enumerable.Range(0, problem.Geometry.Rows).Select(_ => scale * random.NextDouble())];
        double[] v = [.. Enumerable.Range(0, problem.Geometry.Columns).Select(_ => scale * random.NextDouble())];
        double ratio = problem.A.Mass / problem.B.Mass;
        double shift = 0;
        for (int i = 0; i < u.Length; i++)
            shift += u[i] * problem.A.Weights[i];
        for (int j = 0; j < v.Length; j++)
            shift += v[j] * problem.B.Weights[j] * ratio;
        TransportResult before = Answer(solve, problem).Result;
        TransportResult after = Answer(solve, problem.ChangeCost(1, u, v)).Result;
        SameValue(problem, before, after, tolerance, 1, shift, "after adding u1ᵀ + 1vᵀ");
        SamePlan(problem, before.Plan, after.Plan, tolerance, "after adding u1ᵀ + 1vᵀ");
    }

    /// <summary><c>s C</c> with <c>s ε</c> (and <c>s ρ</c>) multiplies the value by s and leaves the plan.</summary>
    public static void Scaling(
        Func<LinearProblem, TransportResult> solve,
        LinearProblem problem,
        double tolerance,
        double factor = 8
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        LinearProblem scaled = problem.ChangeCost(
            factor,
            new double[problem.Geometry.Rows],
            new double[problem.Geometry.Columns]
        );
        scaled = scaled.WithAbsoluteEpsilon(factor) with
        {
            PenaltyA = Scaled(problem.PenaltyA, factor),
            PenaltyB = Scaled(problem.PenaltyB, factor),
        };
        TransportResult before = Answer(solve, problem).Result;
        TransportResult after = Answer(solve, scaled).Result;
        SameValue(problem, before, after, tolerance, factor, 0, "after scaling the cost");
        SamePlan(problem, before.Plan, after.Plan, tolerance, "after scaling the cost");
    }

    static MarginalPenalty Scaled(MarginalPenalty penalty, double factor) =>
        penalty.IsTotalVariation
            ? MarginalPenalty.TotalVariation(factor * penalty.Rho)
            : MarginalPenalty.KullbackLeibler(factor * penalty.Rho);

    /// <summary>Bins of weight zero change nothing; their plan rows and columns are zero and their potentials finite.</summary>
    public static void ZeroMassBins(Func<LinearProblem, TransportResult> solve, LinearProblem problem, double tolerance)
    {
        ArgumentNullException.ThrowIfNull(problem);
        int n = problem.Geometry.Rows,
            m = problem.Geometry.Columns;
        LinearProblem padded = problem.Rearrange(
            [0, .. Enumerable.Range(0, n), n - 1],
            [.. Enumerable.Range(0, m), 0],
            [0, .. problem.A.Weights, 0],
            [.. problem.B.Weights, 0]
        );
        TransportResult before = Answer(solve, problem).Result;
        TransportResult after = Answer(solve, padded).Result;
        SameValue(problem, before, after, tolerance, 1, 0, "after adding bins of weight zero");
        (double[] rows, double[] columns) = Oracles.Marginals(after.Plan);
        Approx.True(rows[0] == 0 && rows[n + 1] == 0 && columns[m] == 0, "A bin of weight zero carries mass.");
        Matrix dense = after.Plan.ToDense();
        var inner = new double[n, m];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < m; j++)
                inner[i, j] = dense[i + 1, j];
        }
        SamePlan(problem, before.Plan, new DensePlan(Matrix.From(inner)), tolerance, "after adding bins of weight zero");
        if (after.Potentials is { } potentials)
        {
            foreach (double value in (double[])[.. potentials.F, .. potentials.G])
                Approx.True(double.IsFinite(value), "A potential is not finite.");
        }
    }

    /// <summary>Splitting a bin into two equal ones changes no value: merging duplicates is free.</summary>
    public static void MergedDuplicates(Func<LinearProblem, TransportResult> solve, LinearProblem problem, double tolerance)
    {
        ArgumentNullException.ThrowIfNull(problem);
        int n = problem.Geometry.Rows,
            m = problem.Geometry.Columns;
        double[] a = problem.A.Weights.ToArray(),
            b = problem.B.Weights.ToArray();
        LinearProblem split = problem.Rearrange(
            [.. Enumerable.Range(0, n), 0],
            [.. Enumerable.Range(0, m), m - 1],
            [a[0] * 0.25, .. a[1..], a[0] * 0.75],
            [.. b[..^1], b[^1] * 0.5, b[^1] * 0.5]
        );
        TransportResult before = Answer(solve, problem).Result;
        TransportResult after = Answer(solve, split).Result;
        SameValue(problem, before, after, tolerance, 1, 0, "after splitting bins");
    }

    /// <summary><c>LowerBound ≤ OT₀ ≤ TransportCost</c> of the certificate, with OT₀ from an exact solver (the oracle by default); without a regulariser the value is OT₀.</summary>
    public static void BoundsEncloseExact(
        Func<LinearProblem, TransportResult> solve,
        LinearProblem problem,
        double tolerance,
        Func<LinearProblem, TransportResult>? exact = null
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        (TransportResult result, Certificate certificate) = Answer(solve, problem);
        double optimum = ExactCost(problem, exact);
        double rounding = Rounding * ValueScale(problem);
        if (problem.Regularizer is NoRegularizer)
            Approx.Equal(optimum, result.Value, tolerance * ValueScale(problem), "value against the exact one");
        Approx.AtMost(certificate.LowerBound ?? double.NegativeInfinity, optimum + rounding, "The lower bound");
        Approx.AtMost(optimum, certificate.TransportCost + rounding, "The exact optimum");
    }

    /// <summary><c>0 ≤ ⟨C, P_ε⟩ − OT₀ ≤ ε min(H(a), H(b))</c>, so a small ε gives the exact cost.</summary>
    public static void EpsilonToZero(
        Func<LinearProblem, TransportResult> solve,
        LinearProblem problem,
        double tolerance,
        Func<LinearProblem, TransportResult>? exact = null
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        TransportResult result = Answer(solve, problem).Result;
        double excess = result.TransportCost - ExactCost(problem, exact);
        double bias = result.Epsilon * Math.Min(Entropy(problem.A), Entropy(problem.B));
        double allowed = tolerance * ValueScale(problem);
        Approx.AtMost(excess, bias + allowed, "The bias of the transport cost");
        Approx.AtMost(-allowed, excess, "The least possible bias");
    }

    /// <summary>With ε a million times the cost, the plan is <c>a bᵀ / mass</c>.</summary>
    public static void EpsilonToInfinity(Func<LinearProblem, TransportResult> solve, LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        const double ratio = 1e6;
        double epsilon = ratio * Approx.CostScale(problem.Geometry);
        (TransportResult result, _) = Answer(
            solve,
            problem with
            {
                Regularizer = Regularizer.Entropy(Epsilon.Absolute(epsilon)),
            }
        );
        var product = new double[problem.A.Count, problem.B.Count];
        for (int i = 0; i < problem.A.Count; i++)
        {
            for (int j = 0; j < problem.B.Count; j++)
                product[i, j] = problem.A.Weights[i] * problem.B.Weights[j] / problem.B.Mass;
        }
        // Each entry is off by a factor exp(4 max|C| / ε) at most.
        double tolerance = ((8 / ratio) + (4 * result.MarginalError)) * problem.A.Mass;
        Approx.AtMost(Approx.PlanDistance(result.Plan, new DensePlan(Matrix.From(product))), tolerance, "The distance from a bᵀ");
    }

    /// <summary>Penalties with a huge ρ give the balanced value, from below, up to what the penalties save: at most <c>⟨a, f²⟩/(2ρ)</c> on each side.</summary>
    /// <param name="solve">The solver.</param>
    /// <param name="problem">A balanced problem.</param>
    /// <param name="tolerance">Error of a value, in units of <see cref="ValueScale"/>.</param>
    /// <param name="ratio">ρ in units of the value scale per mass; 1e5 by default. A solver without a translation step needs about ratio · scale/ε iterations.</param>
    public static void PenaltyToInfinity(
        Func<LinearProblem, TransportResult> solve,
        LinearProblem problem,
        double tolerance,
        double ratio = 1e5
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        double scale = ValueScale(problem);
        TransportResult balanced = Answer(solve, problem).Result;
        MarginalPenalty penalty = MarginalPenalty.KullbackLeibler(ratio * scale / problem.A.Mass);
        TransportResult relaxed = Answer(solve, problem with { PenaltyA = penalty, PenaltyB = penalty }).Result;
        Approx.AtMost(relaxed.Value - balanced.Value, tolerance * scale, "What penalties cost");
        // |f| and |g| are at most two scales each.
        Approx.AtMost(balanced.Value - relaxed.Value, ((4 / ratio) + tolerance) * scale, "What penalties save");
    }

    /// <summary>The size of values and potentials of a problem: mass times (largest |C| plus ε times the log of the smallest weight's share).</summary>
    public static double ValueScale(LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        double scale = Approx.CostScale(problem.Geometry);
        if (problem.Regularizer is EntropyRegularizer entropy)
            scale +=
                entropy.Epsilon.Resolve(problem.Geometry) * (1 - Math.Log(Math.Min(Smallest(problem.A), Smallest(problem.B))));
        return scale * Math.Max(problem.A.Mass, problem.B.Mass);
    }

    static double Smallest(Measure measure)
    {
        double smallest = 1;
        foreach (double weight in measure.Weights)
        {
            if (weight > 0)
                smallest = Math.Min(smallest, weight / measure.Mass);
        }
        return smallest;
    }

    static double Entropy(Measure measure)
    {
        double sum = 0;
        foreach (double weight in measure.Weights)
        {
            if (weight > 0)
                sum -= weight * Math.Log(weight / measure.Mass);
        }
        return sum;
    }

    static double ExactCost(LinearProblem problem, Func<LinearProblem, TransportResult>? exact) =>
        (exact ?? Oracles.Exact)(problem with { Regularizer = Regularizer.None }).TransportCost;

    static (TransportResult Result, Certificate Certificate) Answer(
        Func<LinearProblem, TransportResult> solve,
        LinearProblem problem
    )
    {
        ArgumentNullException.ThrowIfNull(solve);
        ArgumentNullException.ThrowIfNull(problem);
        TransportResult result = solve(problem);
        Approx.True(result.Converged, Text($"The solver stopped with {result.Status}. {result.Message}"));
        return (result, result.Certify());
    }

    static void SameValue(
        LinearProblem problem,
        TransportResult before,
        TransportResult after,
        double tolerance,
        double factor,
        double shift,
        string when
    )
    {
        double allowed = factor * tolerance * (ValueScale(problem) + Math.Abs(shift));
        Approx.Equal((factor * before.Value) + shift, after.Value, allowed, "value " + when);
    }

    static void SamePlan(LinearProblem problem, TransportPlan expected, TransportPlan actual, double tolerance, string when)
    {
        // Without strict convexity there may be many optimal plans.
        if (problem.Regularizer is not EntropyRegularizer entropy)
            return;
        double epsilon = entropy.Epsilon.Resolve(problem.Geometry);
        double mass = Math.Max(problem.A.Mass, problem.B.Mass);
        double allowed = 2 * Math.Sqrt(2 * mass * tolerance * ValueScale(problem) / epsilon);
        Approx.AtMost(
            Approx.PlanDistance(expected, actual),
            allowed + (4 * tolerance * mass),
            "The L1 distance of the plans " + when
        );
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
